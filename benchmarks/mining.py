"""Neighbours in both directions for mining: ours, from one product, against faiss's exact search, run once a direction.

Run:  python benchmarks/mining.py

20,000 sources and targets of 1,024 numbers, half of them translations of each other, four neighbours (XTREME's and
LASER's mining, with ``faiss.IndexFlatIP``). Both sides have as many threads as OMP_NUM_THREADS says, by default one;
ours works in float32. Bars: the same pairs, one product in place of two, 1.3x in the median of the rounds' ratios, and
at most 1 GB above the vectors.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

THREADS = int(os.environ.setdefault("OMP_NUM_THREADS", "1"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

import faiss  # noqa: E402 (the number of threads has to be set before)
import numpy as np  # noqa: E402
from xstilts.metrics import mining, retrieval  # noqa: E402
from xstilts.metrics.retrieval import Neighbours  # noqa: E402

VECTORS, WIDTH, PLANTED, NEIGHBOURS = 20_000, 1024, 10_000, 4
ROUNDS = 7
BothWays = tuple[Neighbours, Neighbours]


class Counted(np.ndarray):
    """Vectors that count the multiplications of the products they take part in."""

    multiplications = 0

    def __array_ufunc__(self, ufunc, method, *inputs, **settings):  # noqa: ANN001, ANN003, ANN204 (numpy's protocol)
        plain = [value.view(np.ndarray) if isinstance(value, Counted) else value for value in inputs]
        if ufunc is np.matmul:
            Counted.multiplications += plain[0].shape[0] * plain[0].shape[1] * plain[1].shape[1]
        return getattr(ufunc, method)(*plain, **settings)


def two_languages(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return unit vectors of two languages, and where the translation of each of the first sources is.

    All have a common part, as the vectors of sentences have, so that cosines are above 0.
    """
    rng = np.random.default_rng(seed)
    common = rng.normal(size=WIDTH)
    meanings = [rng.normal(size=(VECTORS, WIDTH)) for _ in range(2)]
    meanings[1][:PLANTED] = meanings[0][:PLANTED]
    order = rng.permutation(VECTORS)
    source, target = (
        retrieval.unit((common + own + rng.normal(size=own.shape)).astype(np.float32)) for own in meanings
    )
    return source, np.ascontiguousarray(target[order]), np.argsort(order)[:PLANTED]


def ours(source: np.ndarray, target: np.ndarray) -> BothWays:
    return retrieval.top_both_ways(source, target, NEIGHBOURS)


def theirs(source: np.ndarray, target: np.ndarray) -> BothWays:
    def search(queries: np.ndarray, candidates: np.ndarray) -> Neighbours:
        index = faiss.IndexFlatIP(WIDTH)
        index.add(candidates)
        return index.search(queries, NEIGHBOURS)

    return search(source, target), search(target, source)


def timed(find: Callable[..., BothWays], *vectors: np.ndarray) -> tuple[float, float, BothWays]:
    """Return seconds, the growth of the memory's peak in MB, and the neighbours."""
    Path("/proc/self/clear_refs").write_text("5")
    before, started = _peak(), time.perf_counter()
    found = find(*vectors)
    return time.perf_counter() - started, _peak() - before, found


def _peak() -> float:
    """Return the peak of the resident memory in MB since it was last set back."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1000


def main() -> None:
    """Run the benchmark and write its figures to standard output."""
    faiss.omp_set_num_threads(THREADS)
    source, target, places = two_languages(seed=0)
    rounds, memory, pairs = [], {ours: [], theirs: []}, {}
    for number in range(ROUNDS):
        seconds = {}
        for find in (ours, theirs) if number % 2 == 0 else (theirs, ours):
            seconds[find], grown, found = timed(find, source, target)
            memory[find].append(grown)
            pairs[find] = mining.matched(*found)
        rounds.append([seconds[ours], seconds[theirs]])
        same = {find: dict(zip(map(tuple, matched.tolist()), scores, strict=True))
                for find, (matched, scores) in pairs.items()}  # fmt: skip
        assert same[ours].keys() == same[theirs].keys(), "other pairs were mined"
    difference = max(abs(score - same[theirs][pair]) for pair, score in same[ours].items())
    ours(source.view(Counted), target.view(Counted))
    one_product = VECTORS * VECTORS * WIDTH
    ratios = [slow / fast for fast, slow in rounds]
    right = sum((number, place) in same[ours] for number, place in enumerate(places.tolist()))
    fast, slow = (statistics.median(times) for times in zip(*rounds, strict=True))
    row = f"{min(ratios):.2f} {statistics.median(ratios):.2f} {max(ratios):.2f}"
    sys.stdout.write(
        f"{VECTORS} x {VECTORS} x {WIDTH} float32, {THREADS} thread(s) each, {ROUNDS} interleaved rounds\n"
        f"median seconds: ours {fast:.2f}, faiss {slow:.2f}; ratio of a round, min median max: {row}\n"
        f"products: ours {Counted.multiplications / one_product:.3f} (counted), faiss 2 (two searches)\n"
        f"memory above the vectors: ours {max(memory[ours]):.0f} MB, faiss {max(memory[theirs]):.0f} MB\n"
        f"the same {len(same[ours])} pairs, {right} of the {PLANTED} planted; largest difference of scores"
        f" {difference:.1e}\n"
    )


if __name__ == "__main__":
    main()
