//! The functions as a document.

use std::fmt::Write as _;

use super::{Example, Function, GROUPS};

/// All functions by group, as Markdown: what each does, its argument and its examples.
pub fn markdown() -> String {
    let mut text = String::new();
    for group in GROUPS {
        let mut title = group.name.to_owned();
        if let Some(first) = title.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        push(&mut text, format_args!("## {title}\n\n"));
        for function in group.functions {
            describe(&mut text, function);
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn describe(text: &mut String, function: &Function) {
    let Function {
        name,
        about,
        argument,
        ..
    } = function;
    push(text, format_args!("### `{name}`\n\n{about}\n\n"));
    push(
        text,
        format_args!(
            "Takes {}, gives {}.",
            function.takes.word(),
            function.gives.word()
        ),
    );
    if !argument.is_empty() {
        push(text, format_args!(" Argument: {argument}."));
    }
    text.push_str("\n\n| written | in | out |\n|---|---|---|\n");
    for example in function.examples {
        let written = written(name, example);
        let output = example.output.map_or("absent".to_owned(), code);
        push(
            text,
            format_args!(
                "| {} | {} | {output} |\n",
                code(&written),
                code(example.input)
            ),
        );
    }
    text.push('\n');
}

/// An example as a route has it.
fn written(name: &str, example: &Example) -> String {
    if example.argument.is_empty() {
        return name.to_owned();
    }
    format!("{{ {name}: {} }}", example.argument)
}

/// Code in a cell of a table; none of it has a grave accent.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

fn push(text: &mut String, piece: std::fmt::Arguments<'_>) {
    // Writing to a text cannot fail.
    let written = text.write_fmt(piece);
    debug_assert!(written.is_ok(), "a text takes all that is written");
}
