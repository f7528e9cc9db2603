//! Changed pushes.
