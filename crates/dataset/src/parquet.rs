//! A table as Parquet: optional columns, zstd, bounded row groups. It writes no time, no host and no version of a
//! library, so that the same rows are the same bytes wherever and whenever they are written by one build.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use ::parquet::basic::{
    Compression, ConvertedType, LogicalType, Repetition, Type as Physical, ZstdLevel,
};
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::types::{Type, TypePtr};

use crate::Error;
use crate::table::{Cells, Column, Kind, Table, Value};

/// The most rows of a row group.
pub const GROUP_ROWS_MAX: usize = 65_536;

/// A row group is closed when its rows take about this many bytes in memory ([`Table::held_bytes`]).
pub const GROUP_BYTES: usize = 16 << 20;

/// Who a reader is told has written a file. It never changes, because it is part of the bytes.
const CREATED_BY: &str = "naap";

/// The table as one file.
pub fn encode(table: &Table) -> Result<Vec<u8>, Error> {
    let mut writer = Writer::new(Vec::new(), table.columns().to_vec())?;
    for from in (0..table.rows()).step_by(GROUP_ROWS_MAX) {
        let to = table.rows().min(from.saturating_add(GROUP_ROWS_MAX));
        write_group(&mut writer.inner, table, from..to)?;
    }
    writer.finish()
}

/// Writes rows as they come and holds at most one row group of them.
///
/// Where groups end depends on the rows alone, so it does not matter in which portions they come.
pub struct Writer<W: Write + Send> {
    held: Table,
    inner: SerializedFileWriter<W>,
    rows: u64,
}

impl<W: Write + Send> Writer<W> {
    /// Begins a file of these columns in `sink`.
    pub fn new(sink: W, columns: Vec<Column>) -> Result<Self, Error> {
        let held = Table::new(columns)?;
        let failed = |source| Error::Parquet { action: "begin a file", source };
        let zstd = ZstdLevel::try_new(3).map_err(failed)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(zstd))
            .set_created_by(CREATED_BY.to_owned());
        let schema = schema(held.columns()).map_err(failed)?;
        let inner = SerializedFileWriter::new(sink, schema, Arc::new(properties.build()));
        Ok(Self { held, inner: inner.map_err(failed)?, rows: 0 })
    }

    /// Adds a row, as [`Table::push`] does.
    pub fn push(&mut self, row: Vec<Value>) -> Result<(), Error> {
        self.held.push(row)?;
        self.rows += 1;
        if self.held.rows() >= GROUP_ROWS_MAX || self.held.held_bytes() >= GROUP_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// How many rows were added.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Ends the file and hands the sink back. Without it the file cannot be read.
    pub fn finish(mut self) -> Result<W, Error> {
        self.flush()?;
        self.inner.into_inner().map_err(|source| Error::Parquet { action: "end a file", source })
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.held.rows() == 0 {
            return Ok(());
        }
        write_group(&mut self.inner, &self.held, 0..self.held.rows())?;
        self.held.clear();
        Ok(())
    }
}

/// The columns as Parquet's schema: all optional, text as UTF-8, because a reader need not know JSON to show it.
fn schema(columns: &[Column]) -> Result<TypePtr, ParquetError> {
    let fields = columns.iter().map(|column| {
        let (physical, converted, logical) = match column.kind {
            Kind::Boolean => (Physical::BOOLEAN, ConvertedType::NONE, None),
            Kind::Integer => (Physical::INT64, ConvertedType::NONE, None),
            Kind::Number => (Physical::DOUBLE, ConvertedType::NONE, None),
            Kind::Json | Kind::Text => {
                (Physical::BYTE_ARRAY, ConvertedType::UTF8, Some(LogicalType::String))
            }
        };
        let field = Type::primitive_type_builder(&column.name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_converted_type(converted)
            .with_logical_type(logical);
        field.build().map(Arc::new)
    });
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(Type::group_type_builder("table").with_fields(fields).build()?))
}

/// Writes some rows of a table as one row group.
fn write_group<W: Write + Send>(
    inner: &mut SerializedFileWriter<W>,
    table: &Table,
    rows: Range<usize>,
) -> Result<(), Error> {
    let failed = |source| Error::Parquet { action: "write rows", source };
    let mut group = inner.next_row_group().map_err(failed)?;
    for cells in table.cells() {
        write_column(&mut group, cells, rows.clone()).map_err(failed)?;
    }
    group.close().map_err(failed)?;
    Ok(())
}

/// Writes some values of one column.
fn write_column<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    cells: &Cells,
    rows: Range<usize>,
) -> Result<(), ParquetError> {
    match cells {
        Cells::Boolean(cells) => {
            write_cells::<W, BoolType, _>(group, cells.get(rows), |value| *value)
        }
        Cells::Integer(cells) => {
            write_cells::<W, Int64Type, _>(group, cells.get(rows), |value| *value)
        }
        Cells::Number(cells) => {
            write_cells::<W, DoubleType, _>(group, cells.get(rows), |value| *value)
        }
        Cells::Text(cells) => {
            write_cells::<W, ByteArrayType, _>(group, cells.get(rows), |value: &String| {
                ByteArray::from(value.as_str())
            })
        }
    }
}

/// Writes values of one physical type: those that are known, and for each whether it is.
fn write_cells<W: Write + Send, D: DataType, C>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    cells: Option<&[Option<C>]>,
    value: impl Fn(&C) -> D::T,
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("a column is shorter than its table".to_owned());
    let cells = cells.ok_or_else(missing)?;
    let mut column = group.next_column()?.ok_or_else(missing)?;
    let known: Vec<D::T> = cells.iter().flatten().map(value).collect();
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
    column.typed::<D>().write_batch(&known, Some(&levels), None)?;
    column.close()
}

#[cfg(test)]
mod tests {
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    use ::parquet::record::Field;

    use super::*;

    fn columns() -> Vec<Column> {
        vec![
            Column::new("flag", Kind::Boolean),
            Column::new("count", Kind::Integer),
            Column::new("share", Kind::Number),
            Column::new("name", Kind::Text),
            Column::new("more.list", Kind::Json),
        ]
    }

    fn row(at: u64) -> Vec<Value> {
        if at % 3 == 1 {
            return vec![Value::Unknown; 5];
        }
        let share = if at.is_multiple_of(2) { 0.5 } else { -1e300 };
        vec![
            at.is_multiple_of(2).into(),
            at.into(),
            share.into(),
            if at.is_multiple_of(4) { String::new() } else { format!("n {at} é") }.into(),
            format!("[{at}]").into(),
        ]
    }

    fn table(rows: u64) -> Table {
        let mut table = Table::new(columns()).unwrap();
        (0..rows).for_each(|at| table.push(row(at)).unwrap());
        table
    }

    /// What a reader makes of the rows, in the terms of [`Value`].
    fn read(bytes: Vec<u8>) -> Vec<Vec<Value>> {
        let reader = SerializedFileReader::new(::bytes::Bytes::from(bytes)).unwrap();
        let rows = reader.get_row_iter(None).unwrap().map(|row| {
            let row = row.unwrap();
            let fields = row.get_column_iter().map(|(_, field)| match field {
                Field::Null => Value::Unknown,
                Field::Bool(value) => Value::Boolean(*value),
                Field::Long(value) => Value::Unsigned(u64::try_from(*value).unwrap()),
                Field::Double(value) => Value::Number(*value),
                Field::Str(value) => Value::Text(value.clone()),
                other => panic!("{other:?}"),
            });
            fields.collect()
        });
        rows.collect()
    }

    #[test]
    fn what_is_written_reads_back() {
        let bytes = encode(&table(10)).unwrap();
        assert_eq!(read(bytes), (0..10).map(row).collect::<Vec<_>>());
        assert_eq!(read(encode(&table(0)).unwrap()), Vec::<Vec<Value>>::new());
    }

    #[test]
    fn row_groups_are_bounded_and_end_where_the_rows_say() {
        let rows = u64::try_from(GROUP_ROWS_MAX).unwrap() + 5;
        let whole = encode(&table(rows)).unwrap();
        let mut writer = Writer::new(Vec::new(), columns()).unwrap();
        (0..rows).for_each(|at| writer.push(row(at)).unwrap());
        assert_eq!(writer.rows(), rows);
        assert_eq!(writer.finish().unwrap(), whole, "however the rows come");
        let reader = SerializedFileReader::new(::bytes::Bytes::from(whole)).unwrap();
        let groups: Vec<i64> =
            reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
        assert_eq!(groups, [65_536, 5]);

        let text = || vec![Column::new("text", Kind::Text)];
        let mut writer = Writer::new(Vec::new(), text()).unwrap();
        for _ in 0..5 {
            writer.push(vec!["x".repeat(GROUP_BYTES / 2).into()]).unwrap();
        }
        let bytes = writer.finish().unwrap();
        let reader = SerializedFileReader::new(::bytes::Bytes::from(bytes)).unwrap();
        assert_eq!(reader.num_row_groups(), 3);
    }

    #[test]
    fn the_same_rows_are_the_same_bytes_and_say_nothing_else() {
        let bytes = encode(&table(1000)).unwrap();
        assert_eq!(encode(&table(1000)).unwrap(), bytes);
        let reader = SerializedFileReader::new(::bytes::Bytes::from(bytes)).unwrap();
        let file = reader.metadata().file_metadata();
        assert_eq!(file.created_by(), Some("naap"));
        assert_eq!(file.key_value_metadata(), None);
        let names: Vec<_> =
            file.schema_descr().columns().iter().map(|column| column.name().to_owned()).collect();
        assert_eq!(names, ["flag", "count", "share", "name", "more.list"]);
    }
}
