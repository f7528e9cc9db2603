//! The records as a picture: what each contestant takes, as a share of what the slowest of its case does.

use std::fmt::Write as _;

/// One table of a record.
struct Table {
    title: String,
    /// Contestants with their CPU seconds for 100,000 requests.
    rows: Vec<(String, f64)>,
}

/// Draws the tables of the record `from` into `to`, an SVG.
pub(crate) fn plot(from: &str, to: &str) {
    let record = std::fs::read_to_string(from).unwrap_or_else(|error| panic!("{from}: {error}"));
    let tables = read(&record);
    assert!(!tables.is_empty(), "{from} has no table");
    std::fs::write(to, draw(&tables)).unwrap();
    println!("{} tables of {from} drawn: {to}", tables.len());
}

fn read(record: &str) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for line in record.lines() {
        if let Some(title) = line.strip_prefix("### ") {
            tables.push(Table {
                title: title.to_owned(),
                rows: Vec::new(),
            });
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        // `| name | 1.23 (1.20 to 1.30) | …`
        let cost = cells.get(2).and_then(|cell| {
            let (middle, rest) = cell.split_once(" (")?;
            rest.contains(" to ").then(|| middle.parse().ok())?
        });
        if let (Some(cost), Some(table)) = (cost, tables.last_mut()) {
            table.rows.push((cells[1].to_owned(), cost));
        }
    }
    tables.retain(|table| !table.rows.is_empty());
    tables
}

fn draw(tables: &[Table]) -> String {
    let mut bars = String::new();
    let mut top = MARGIN;
    for table in tables {
        let most = table.rows.iter().map(|row| row.1).fold(0.0, f64::max);
        writeln!(
            bars,
            r#"<text x="{MARGIN}" y="{}" class="title">{}</text>"#,
            top + 12.0,
            table.title
        )
        .unwrap();
        top += 20.0;
        for (name, cost) in &table.rows {
            let class = if name == "pintle" { "own" } else { "peer" };
            let width = BAR * cost / most;
            write!(
                bars,
                r#"<text x="{}" y="{}" class="name">{name}</text>
<rect x="{LEFT}" y="{}" width="{width:.1}" height="12" class="{class}"/>
<text x="{:.1}" y="{}">{cost:.2}</text>
"#,
                LEFT - 6.0,
                top + 10.0,
                top,
                LEFT + width + 5.0,
                top + 10.0,
            )
            .unwrap();
            top += 16.0;
        }
        top += 10.0;
    }
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}" role="img" aria-label="CPU seconds of each contestant for 100,000 requests">
<style>
text {{ font: 11px system-ui, sans-serif; fill: #222; }}
.title {{ font-weight: 600; }}
.name {{ text-anchor: end; }}
.peer {{ fill: #9aa5b1; }}
.own {{ fill: #d9622b; }}
.ground {{ fill: #fff; }}
@media (prefers-color-scheme: dark) {{ text {{ fill: #ddd; }} .ground {{ fill: #16191d; }} .peer {{ fill: #66717d; }} }}
</style>
<rect class="ground" width="{WIDTH}" height="{top}"/>
{bars}</svg>
"#
    )
}

const WIDTH: f64 = 720.0;
const MARGIN: f64 = 12.0;
const LEFT: f64 = 100.0;
const BAR: f64 = 540.0;
