//! placeholder
/// f
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FramingFault {
    /// a
    #[error("a")]
    HeadTooLong,
    /// b
    #[error("b")]
    TooManyHeaders,
    /// c
    #[error("c")]
    TargetTooLong,
}
pub struct HeadLimits {
    pub head_bytes_max: usize,
    pub headers_max: usize,
    pub target_bytes_max: usize,
}
