"""Writes test/fixtures/data/saved: folders of save_to_disk, Arrow and Parquet files of unusual columns, with what Python reads of them.

Run from the repository: python3 scripts/oracles/saved_datasets.py   (needs datasets and pyarrow)
"""

import datetime
import decimal
import json
import pathlib
import shutil

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from data_files import as_python_writes

OUT = pathlib.Path(__file__).resolve().parents[2] / "test" / "fixtures" / "data" / "saved"

CALL = pa.struct([("name", pa.large_string()), ("arguments", pa.struct([("2", pa.float64()), ("1", pa.int64())]))])


def columns(rows: int) -> pa.Table:
    """One column of each kind that datasets are stored in."""
    indices = range(rows)
    large = [1187263549871234567, -(2**63), 2**63 - 1, 0]
    return pa.table(
        {
            "question": pa.array([None if i % 5 == 4 else f"\ufeffé🙂 {i}" for i in indices], pa.string()),
            "answer": pa.array([f"a{i}" for i in indices], pa.large_string()),
            "kind": pa.array([None if i % 4 == 3 else "xyz"[i % 3] for i in indices], pa.string()).dictionary_encode(),
            "messages": pa.array(
                [None if i % 3 == 2 else [{"name": "f", "arguments": {"2": 1.0, "1": large[i % 4]}}] * (i % 3) for i in indices],
                pa.list_(CALL),
            ),
            "large_list": pa.array([[f"{i}", None] for i in indices], pa.large_list(pa.string())),
            "pair": pa.array([[i, i + 1] for i in indices], pa.list_(pa.int32(), 2)),
            "ids": pa.array([large[: i % 5] for i in indices], pa.list_(pa.int64())),
            "doubles": pa.array([[1.0, -0.0, 1e16][: i % 4] for i in indices], pa.list_(pa.float64())),
            "unsigned": pa.array([2**64 - 1 - i for i in indices], pa.uint64()),
            "small": pa.array([i % 128 for i in indices], pa.int8()),
            "single": pa.array([0.1 * i for i in indices], pa.float32()),
            "half": pa.array([0.5 * i for i in indices], pa.float16()),
            "flag": pa.array([None if i % 7 == 0 else i % 2 == 0 for i in indices], pa.bool_()),
            "price": pa.array([decimal.Decimal(i) / 1000 for i in indices], pa.decimal128(20, 9)),
            "wide": pa.array([decimal.Decimal(10) ** 40 * (-1) ** i for i in indices], pa.decimal256(60, 2)),
            "nothing": pa.nulls(rows),
            "no_lists": pa.array([[] for _ in indices], pa.list_(pa.null())),
        }
    )


def opaque(rows: int) -> dict[str, pa.Array]:
    """Columns that are no text and no JSON, and are refused where they are used."""
    return {
        "when": pa.array([datetime.datetime(2020, 1, 1)] * rows, pa.timestamp("us")),
        "day": pa.array([datetime.date(2020, 1, 1)] * rows, pa.date32()),
        "time": pa.array([datetime.time(12)] * rows, pa.time64("us")),
        "lasts": pa.array([datetime.timedelta(1)] * rows, pa.duration("us")),
        "bytes": pa.array([b"\xff\x00"] * rows, pa.binary()),
        "fixed": pa.array([b"ab"] * rows, pa.binary(2)),
    }


def write_stream(path: pathlib.Path, table: pa.Table, batch: int) -> None:
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=batch)


def maps() -> pa.Table:
    """Maps with text as keys, in an order that JavaScript would change, with other keys, and inside of lists."""
    text = pa.map_(pa.string(), pa.int64())
    return pa.table(
        {
            "text": pa.array([[("b", 1), ("10", 2), ("2", None)], None, [], [("a", 2**60)]], text),
            "number": pa.array([[(10, "x"), (2, "y")], None, [], [(1, None)]], pa.map_(pa.int64(), pa.string())),
            "twice": pa.array([[("a", 1), ("a", 2)]] * 4, text),
            "nested": pa.array([[[("k", 1)], None, []], [], None, [[("3", 3), ("1", 1)]]], pa.list_(text)),
            "deep": pa.array([{"m": [("z", [1, 2])]}, {"m": None}, None, {"m": []}], pa.struct([("m", pa.map_(pa.string(), pa.list_(pa.int32())))])),
        }
    )


def decimals_as_bytes() -> pa.Table:
    """Decimals that each writer stores otherwise: int32, int64 and fixed bytes by precision."""
    values = ["0.00000000", "0.00000001", "-1.50000000", "123456.78900000", "99999999.99999999", "-0.00000100"]
    numbers = [decimal.Decimal(value) for value in values]
    return pa.table(
        {
            "int64": pa.array(numbers, pa.decimal128(16, 8)),
            "fixed": pa.array(numbers, pa.decimal128(38, 8)),
            "int32": pa.array([decimal.Decimal(i).scaleb(-7) for i in range(6)], pa.decimal128(8, 7)),
            "whole": pa.array([decimal.Decimal(i * 100) for i in range(6)], pa.decimal128(20, 0)),
        }
    )


def write_rows(name: str, rows: list[dict]) -> None:
    (OUT / f"{name}.jsonl").write_text("\n".join(as_python_writes(row) for row in rows) + "\n", encoding="utf-8")


def main() -> None:
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    table = columns(25)
    write_stream(OUT / "stream.arrow", table, 10)
    with pa.ipc.new_file(str(OUT / "file.arrow"), table.schema) as writer:
        writer.write_table(table.combine_chunks(), max_chunksize=7)
    write_rows("stream", table.to_pylist())
    views = pa.table({"short": pa.array(["a", None, "é"], pa.string_view()), "long": pa.array(["x" * 40, "", "y" * 13], pa.string_view())})
    write_stream(OUT / "views.arrow", views, 2)
    write_rows("views", views.to_pylist())
    write_stream(OUT / "opaque.arrow", pa.table({"answer": ["a"], **opaque(1)}), 1)
    packed = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(str(OUT / "packed.arrow"), views.schema, options=packed) as writer:
        writer.write_table(views)

    write_stream(OUT / "maps.arrow", maps(), 4)
    pq.write_table(maps(), OUT / "maps.parquet")
    (OUT / "maps.json").write_text(json.dumps(maps().to_pylist(), indent=1) + "\n", encoding="utf-8")
    pq.write_table(decimals_as_bytes(), OUT / "decimals.parquet", store_decimal_as_integer=True)
    write_rows("decimals", decimals_as_bytes().to_pylist())
    parquet_opaque = {name: array for name, array in opaque(1).items() if name != "lasts"}
    pq.write_table(pa.table({"answer": ["a"], **parquet_opaque}), OUT / "opaque.parquet")

    features = datasets.Features(
        {
            "question": datasets.Value("string"),
            "answer": datasets.Value("large_string"),
            "tools": datasets.List(datasets.Json()),
            "label": datasets.ClassLabel(names=["no", "yes"]),
        }
    )
    rows = [
        {"question": f"q{i}", "answer": f"a{i}", "tools": [{"b": 1.0, "10": None, "2": 2**60}], "label": i % 2} for i in range(7)
    ]
    one = datasets.Dataset.from_list(rows, features=features)
    one.save_to_disk(OUT / "one", num_shards=2)
    pq.write_table(one.data.table, OUT / "json.parquet")
    write_rows("one", datasets.load_from_disk(str(OUT / "one")).to_list())
    selected = one.select([4, 1])
    datasets.DatasetDict({"train": selected, "test": one.select(range(2))}).save_to_disk(OUT / "splits")
    write_rows("splits", datasets.load_from_disk(str(OUT / "splits"))["train"].to_list())


if __name__ == "__main__":
    main()
