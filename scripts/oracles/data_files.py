"""Writes the data files of test/fixtures/data that Node cannot write: Parquet by pyarrow, .zst by the zstd program.

Run from the repository: python3 scripts/oracles/data_files.py   (needs pyarrow, and zstd on the PATH)
"""

import decimal
import json
import pathlib
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq

OUT = pathlib.Path(__file__).resolve().parents[2] / "test" / "fixtures" / "data"


def table(rows: int) -> pa.Table:
    """Text, a list of structs, 64-bit numbers beyond 2**53, and missing values."""
    indices = range(rows)
    return pa.table(
        {
            "question": [f"q{i}?" for i in indices],
            "answer": [f"é🙂 {i}" if i % 7 else "" for i in indices],
            "messages": pa.array(
                [[{"role": "user", "content": f"u{i}"}, {"role": "assistant", "content": f"a{i}"}] for i in indices],
                pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())])),
            ),
            "number": pa.array([i if i % 2 else 2**60 + i for i in indices], pa.int64()),
            "maybe": pa.array([None if i % 3 == 0 else f"m{i}" for i in indices], pa.string()),
        }
    )


def numbers() -> pa.Table:
    """Numbers that a double does not hold or that JavaScript writes otherwise, at the top and inside of lists and structs."""
    doubles = [1.0, 0.1, 1e16, 123456789012345680.0, 1e-4, 1.5e-5, -0.0, 1e22, 5e-324, 100000.0]
    count = len(doubles)
    large = [1187263549871234567, -(2**63), 2**63 - 1, 0, 7, 2**53, 2**53 + 1, -1, 10, 99]
    prices = [decimal.Decimal(text) for text in ("1.10 0.00 -0.05 12345678901234567890.12 7.00 -7.10 1 2 3 4").split()]
    calls = pa.list_(pa.struct([("name", pa.string()), ("arguments", pa.struct([("2", pa.float64()), ("1", pa.int64())]))]))
    return pa.table(
        {
            "double": pa.array(doubles, pa.float64()),
            "single": pa.array([value if abs(value) < 1e20 else 0.1 for value in doubles], pa.float32()),
            "large": pa.array(large, pa.int64()),
            "unsigned": pa.array([abs(value) for value in large], pa.uint64()),
            "price": pa.array(prices, pa.decimal128(30, 2)),
            "small": pa.array([decimal.Decimal(i) / 10 for i in range(count)], pa.decimal128(9, 3)),
            "calls": pa.array(
                [[{"name": "f", "arguments": {"2": doubles[i], "1": None if i % 2 else large[i]}}] for i in range(count)],
                calls,
            ),
        }
    )


def as_python_writes(value: object) -> str:
    """JSON with each number as Python prints it, decimals included."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{as_python_writes(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(as_python_writes(item) for item in value) + "]"
    return str(value) if isinstance(value, decimal.Decimal) else json.dumps(value)


def swelling() -> None:
    """Small files that unpack to much: one page of 300 MiB, and eight million rows in one group."""
    page = pa.table({"question": ["x" * (300 << 20)], "answer": ["a"]})
    pq.write_table(page, OUT / "large-page.parquet", compression="zstd", use_dictionary=False, write_statistics=False)
    rows = 1 << 23
    column = pa.array([True], pa.bool_()).take(pa.array([0] * rows, pa.int32()))
    pq.write_table(pa.table({"answer": column}), OUT / "many-rows.parquet", compression="zstd", row_group_size=rows)


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for codec in ("snappy", "zstd", "gzip", "none"):
        pq.write_table(table(250), OUT / f"{codec}.parquet", compression=codec, row_group_size=100)
    pq.write_table(table(0), OUT / "empty.parquet")
    pq.write_table(numbers(), OUT / "numbers.parquet")
    (OUT / "numbers.jsonl").write_text("".join(as_python_writes(row) + "\n" for row in numbers().to_pylist()))
    swelling()
    # Two frames one after the other, as `cat a.zst b.zst` makes them.
    frames = b""
    for part in range(2):
        lines = "".join(json.dumps({"question": f"q{i}", "answer": f"a{i}"}) + "\n" for i in range(part * 30, part * 30 + 30))
        frames += subprocess.run(["zstd", "-q", "-c"], input=lines.encode(), stdout=subprocess.PIPE, check=True).stdout
    (OUT / "rows.jsonl.zst").write_bytes(frames)


if __name__ == "__main__":
    main()
