//! A row that was read, the same from both databases: text, integer or null in each column.

use crate::Fault;

pub struct Row {
    cells: Vec<Cell>,
}

pub(crate) enum Cell {
    Text(String),
    Int(i64),
    Null,
}

impl Row {
    pub(crate) fn new(cells: Vec<Cell>) -> Self {
        Self { cells }
    }

    pub fn text(&self, column: usize) -> Result<String, Fault> {
        self.maybe_text(column)?
            .ok_or_else(|| unexpected(column, "text", "null"))
    }

    pub fn maybe_text(&self, column: usize) -> Result<Option<String>, Fault> {
        match self.cell(column)? {
            Cell::Text(text) => Ok(Some(text.clone())),
            Cell::Null => Ok(None),
            Cell::Int(_) => Err(unexpected(column, "text", "an integer")),
        }
    }

    pub fn int(&self, column: usize) -> Result<i64, Fault> {
        self.maybe_int(column)?
            .ok_or_else(|| unexpected(column, "an integer", "null"))
    }

    pub fn maybe_int(&self, column: usize) -> Result<Option<i64>, Fault> {
        match self.cell(column)? {
            Cell::Int(int) => Ok(Some(*int)),
            Cell::Null => Ok(None),
            Cell::Text(_) => Err(unexpected(column, "an integer", "text")),
        }
    }

    /// 0 or 1, as `Value` stores a `bool`; also what an `EXISTS` yields.
    pub fn flag(&self, column: usize) -> Result<bool, Fault> {
        match self.int(column)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(unexpected(column, "0 or 1", "another integer")),
        }
    }

    fn cell(&self, column: usize) -> Result<&Cell, Fault> {
        self.cells
            .get(column)
            .ok_or_else(|| unexpected(column, "a column", "none"))
    }
}

fn unexpected(column: usize, wanted: &str, found: &str) -> Fault {
    Fault::broken(format!("column {column} of a row: {wanted} expected, {found} found"))
}
