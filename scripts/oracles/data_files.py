"""Writes the data files of test/fixtures/data that Node cannot write: Parquet by pyarrow, .zst by the zstd program.

Run from the repository: python3 scripts/oracles/data_files.py   (needs pyarrow, and zstd on the PATH)
"""

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


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for codec in ("snappy", "zstd", "gzip", "none"):
        pq.write_table(table(250), OUT / f"{codec}.parquet", compression=codec, row_group_size=100)
    pq.write_table(table(0), OUT / "empty.parquet")
    # Two frames one after the other, as `cat a.zst b.zst` makes them.
    frames = b""
    for part in range(2):
        lines = "".join(json.dumps({"question": f"q{i}", "answer": f"a{i}"}) + "\n" for i in range(part * 30, part * 30 + 30))
        frames += subprocess.run(["zstd", "-q", "-c"], input=lines.encode(), stdout=subprocess.PIPE, check=True).stdout
    (OUT / "rows.jsonl.zst").write_bytes(frames)


if __name__ == "__main__":
    main()
