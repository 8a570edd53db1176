"""An ensemble on its way into files: the states of each advance are kept before the batch's next step is begun.

So a kill costs no more than the steps that are being computed; what the files lack they get from the kept states.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from data_pipeline.errors import DataError
from data_pipeline.progress import track
from forecast.ensemble import Advance, Ensemble
from forecast.files import open_files
from forecast.output import EnsembleLayout, LostOutput, WriterThread
from forecast.restart import Kept, LostStateError, forget_states, note_written, what_is_kept, write_state

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from forecast.files import FileConfig
    from forecast.guards import Stop
    from forecast.output import Sink

Spread = Callable[[Ensemble], Iterator[Advance]]
"""Where batches are computed: all advances that are still to come, in order."""

_MOST_UNDER_WAY = 2
"""Advances that may wait for the disk; more would only take memory, and the last two outputs of a batch are kept."""
_LOG = logging.getLogger(__name__)


class AllStoppedError(DataError):
    """No member came to the end."""


@dataclass(frozen=True)
class Running:
    """An ensemble and the files that are made of it, in the ensemble's work folder."""

    ensemble: Ensemble
    layout: EnsembleLayout
    outputs: Sequence[FileConfig]
    attributes: Mapping[str, str]

    def finish(self, spread: Spread, *, progress: bool) -> dict[int, Stop]:
        """Compute and write what is not on the disk yet; the members that were stopped, by number.

        Raises
        ------
        AllStoppedError
            If no member is left.
        """
        kept, sinks = self._open()
        with ExitStack() as closing:
            for sink in sinks:
                closing.callback(sink.close)
            stopped = self._advance(kept, sinks, spread, progress=progress)
            for sink in sinks:
                sink.finish(stopped)
        return stopped

    def _open(self) -> tuple[Kept, list[Sink]]:
        """What is there already; nothing, if the disk lost some of it."""
        work, plan = self.ensemble.work, self.ensemble.plan
        try:
            kept = what_is_kept(work, plan, self.ensemble.stepping)
            return kept, open_files(self.outputs, self.layout, self.attributes, work, kept.written)
        except (LostOutput, LostStateError) as lost:
            _LOG.warning("%s; beginning anew", lost)
            forget_states(work)
            return Kept(0, 0, {}), open_files(self.outputs, self.layout, self.attributes, work, 0)

    def _advance(self, kept: Kept, sinks: Sequence[Sink], spread: Spread, *, progress: bool) -> dict[int, Stop]:
        ensemble, plan, stopped = self.ensemble, self.ensemble.plan, dict(kept.stopped)
        under_way = min(*(len(group) for group in plan.groups), _MOST_UNDER_WAY)
        advances = spread(replace(ensemble, computed=kept.computed))
        shown = track(advances, "forecast", "step", start=kept.computed, total=plan.advances, enabled=progress)
        with WriterThread(sinks, under_way) as writer:
            for turn in islice(plan.turns(kept.written), kept.computed - kept.written):
                self._hand_over(ensemble.kept(turn), writer)
            for advance in shown:
                stopped = self._with(stopped, advance.stopped)
                write_state(ensemble.work, advance.turn, advance.states, advance.stopped, ensemble.stepping)
                self._hand_over(advance, writer)
        return stopped

    def _hand_over(self, advance: Advance, writer: WriterThread) -> None:
        turn, members, states, _ = advance
        commit = partial(note_written, self.ensemble.work, turn.number + 1)
        writer.put(turn.number, members, turn.step, states, commit)

    def _with(self, stopped: dict[int, Stop], stops: Mapping[int, Stop]) -> dict[int, Stop]:
        together = {**stopped, **stops}
        if len(together) == len(self.layout.members):
            first = min(together.values(), key=lambda stop: stop.step)
            raise AllStoppedError(f"all members stopped, the first: {first}; check the initial data and the checkpoint")
        for member in sorted(stops.keys() - stopped.keys()):
            _LOG.warning("%s; the others go on", stops[member])
        return together
