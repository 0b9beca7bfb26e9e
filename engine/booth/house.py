"""The booth as a whole: store, votes, phones, walls, drawings, and the server that they come to.

Runs on: booth process, event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.booth.breeding import breed
from engine.booth.crew import Crew
from engine.booth.crowd import day_began_ms
from engine.booth.gallery import Gallery
from engine.booth.phones import VISITORS_MOST, Phones
from engine.booth.room import Room
from engine.booth.sampling import first_clips
from engine.booth.shared import Shared
from engine.booth.slow import SlowClock, network_of, sha256_of
from engine.booth.sounds import Sounds
from engine.booth.stage import Stage
from engine.booth.studio import Studio
from engine.booth.voting import Voting
from engine.booth.wall import Wall, tree
from engine.core.config import Config, Web
from engine.core.errors import AlgoritmoError
from engine.core.messages import INFO, SUCCEEDS, WARNING
from engine.net.guard import Guard, address_of
from engine.net.sockets import listen
from engine.store.keeping import forget_visitors
from engine.store.store import Generation, Store
from engine.store.writer import Writer
from engine.web.files import Files
from engine.web.pages import Page
from engine.web.server import Limits, Made, Server

PAGE = "booth"
LIMITS = Limits(
    message_bytes=65_536,
    requests_hz=2000.0,  # a venue's router may hide everybody behind one address
    requests_burst=30_000.0,
    joins_hz=500.0,
    joins_burst=4000.0,
    connections=2 * VISITORS_MOST,
    backlog=2048,
)
RANK_S = 2.0  # how often the clips are ranked anew, where votes came
SPARING = 8  # times seldomer where the jam is short of time
LOOK_S = 2.0  # how often it is looked for another generation
FORGET_S = 3600.0
RANK_SHARE = 0.05  # of the time at most goes into ranking
FIRST_S = 0.2  # while another booth samples the first generation
SOONER = 8  # what was broken off is bred again after so small a part of the votes; what did not pass, after as many again
CLIP = re.compile(r"/clip/([0-9]{1,9})\.(json|mp3)")


class Booth(Shared):
    """Everything of the booth around one store. `stage` tells the jam beside it, None where there is none."""

    def __init__(
        self,
        config: Config,
        store: Store,
        tell: Callable[[int, str], None],
        stage: Callable[[], Stage | None],
        spares: Callable[[], bool] = lambda: False,
    ) -> None:
        """`spares`: whether the jam is short of time, and the booth does only what it must."""
        super().__init__(store.url, tell, stage)
        self._booth = config.booth
        self.config = Web(host=config.booth.host, port=config.booth.port, token=config.booth.token, max_clients=1000)
        self.guard = Guard(config.booth.host, config.booth.token)
        self._spares = spares
        self._tempo_bpm = config.clock.tempo
        self._network = config.network_path()
        self._seed = config.jam.seed
        self._store = store
        self._writer = Writer(store.engine, asyncio.get_running_loop())
        self.voting = Voting(store, self._writer)
        self._studio = Studio(self._network)
        self._crew = Crew(config.booth.cluster)
        self._sounds = Sounds(config, self._crew)
        self.wall = Wall(self.voting, self.guard, self._about)
        told = (self._tell_walls, self._tell_visitors)
        self._gallery = Gallery(store, self._studio, stage, *told, config.booth.hold, self._elsewhere)
        self.phones = Phones(self.voting, self.crowd, self._studio, self._gallery, self._about)
        self._room = Room(self.voting, store, self._tell_rooms, self.others)
        self._room.on = config.booth.room
        self._slow = SlowClock(config, store, self._network, tell, self.others)
        self.pages: Mapping[str, Page] = {PAGE: self.phones, "wall": self.wall}
        self._server: Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._fault = ""
        gallery = self._gallery
        self._obeys: dict[str, Callable[[Any], None]] = {
            "hide": lambda of: self._hide(of),
            "show": lambda of: gallery.show_again(of) if type(of) is int else None,
            "let": lambda of: gallery.let(of) if type(of) is int else None,
            "hide-clip": self._hide_clip,
            "room": self._set_room,
        }
        self.wall.does |= {word: functools.partial(self._order, word) for word in self._obeys}

    # --- what a Server asks of it ------------------------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether as many are here as there is room for."""
        return len(self.phones.clients) >= VISITORS_MOST

    @property
    def address(self) -> str:
        """Where it is found; open to the network: from elsewhere too."""
        return address_of(self.config.host, self.config.port)

    async def make(self, path: str) -> Made | None:
        """Answer with a clip's notes, or with its sound."""
        found = CLIP.fullmatch(path)
        if found is None:
            return None
        if found[2] == "mp3":
            clip = self.voting.clips.get(int(found[1]))
            sound = None if clip is None else await self._sounds.of(int(found[1]), clip.music)
            return None if sound is None else Made(sound, "audio/mpeg", lasting=True)
        packed = self.voting.packed(int(found[1]))
        return None if packed is None else Made(packed, "application/json", packed=True, lasting=True)

    # --- life --------------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take the port, serve, and begin with a first generation where there is none. Raises AlgoritmoError."""
        listening = listen("booth", self._booth.host, self._booth.port, LIMITS.backlog)
        await self.others.start()
        self._tell_crowd()
        await self.voting.look()
        while self.voting.generation is None:
            if await self.others.takes("first"):
                await self._first()
                await self.others.lays_down("first")
            else:
                await asyncio.sleep(FIRST_S)
                await self.voting.look()
        self._server = Server(self, Files(only=PAGE, networks=False), LIMITS, self.make)
        await self._server.start(listening)
        works = (self._ranking(), self._looking(), self._forgetting(), self._hearing(), self._gallery.run(), self._room.run())
        await self.others.takes("stage")
        for work in (*works, self._breeding(), self._staging(), self._slow.run(), self._succeeding()):
            self._tasks.append(asyncio.ensure_future(self._forever(work)))
        self._told_walls(await self._tree())

    async def _first(self) -> None:
        await self.voting.look()
        if self.voting.generation is not None:
            return  # another booth was quicker
        self._tell(INFO, f"the first generation is sampled: {self._booth.clips} clips")
        booth = self._booth
        clips = await self._crew.run(first_clips, self._network, booth.clips, booth.bars, self._seed, self._tempo_bpm)
        clips = [replace(clip, network=str(self._network)) for clip in clips]  # whatever its path is where it was sampled
        generation = Generation("first", str(self._network), sha256_of(self._network), seed=self._seed)
        number = await asyncio.to_thread(self._store.add_generation, generation, clips)
        await asyncio.to_thread(self._store.open_generation, number)
        await self.voting.look()

    async def stop(self) -> None:
        """Say goodbye to everybody; what waits is committed."""
        tasks = [*self._tasks, *self._once]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._slow.stop()
        if (stage := self._stage()) is not None:
            stage.leave()
        await self.phones.close()
        if self._server is not None:
            await self._server.stop()
        await asyncio.to_thread(self._writer.close)
        await asyncio.to_thread(self._studio.close)
        await self.others.stop()
        await asyncio.to_thread(self._crew.close)

    # --- what goes on beside the votes --------------------------------------------------------------------------------------

    async def _ranking(self) -> None:
        wait_s = 0.0
        while True:
            await asyncio.sleep(wait_s)
            begun_s = time.monotonic()
            with contextlib.suppress(AlgoritmoError):  # a store that is gone is told by the votes that it refuses
                await self._share_votes()
                if await self.voting.rank_now():
                    self.phones.ranked()
                    if self.wall.clients:
                        self.wall.tell("board", **self.wall.board(self._booth.votes))
            # Of very many votes it takes long: then it is done more seldom.
            wait_s = max(RANK_S, (time.monotonic() - begun_s) / RANK_SHARE) * (SPARING if self._spares() else 1)
            if self._writer.fault != self._fault:
                self._fault = self._writer.fault
                self._tell(WARNING, f"votes are refused: {self._fault}" if self._fault else "votes are kept again")

    async def _looking(self) -> None:
        told_s = time.monotonic()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._wake.wait()
            self._wake.clear()
            with contextlib.suppress(AlgoritmoError):
                if await self.voting.look():
                    await self.voting.rank_now()
                    self.phones.tell_all("generation", **self.phones.hello())
                    self._told_walls(await self._tree())
                    self.others.tell("look")
                elif self.wall.clients and time.monotonic() - told_s > 5 * LOOK_S:
                    told_s = time.monotonic()
                    self._told_walls(await self._tree())

    def _told_walls(self, found: dict[str, Any]) -> None:
        self.wall.tell("tree", **found)
        self.wall.tell("board", **self.wall.board(self._booth.votes))

    async def _tree(self) -> dict[str, Any]:
        generations = await asyncio.to_thread(self._store.generations)
        tally = await asyncio.to_thread(self._store.tally)
        return await asyncio.to_thread(tree, generations, dict(self.voting.clips), tally)

    async def _breeding(self) -> None:
        """Breed the next generation when there are votes enough, in a process of its own."""
        tried, enough = None, 0  # the generation that was tried, and how many votes there must be to try again
        while True:
            await asyncio.sleep(LOOK_S)
            now, votes, wanted = self.voting.generation, self.voting.votes, self._booth.votes
            if now is None or now.id is None or votes < wanted or not self._booth.breed:
                continue
            with contextlib.suppress(AlgoritmoError):
                votes = await asyncio.to_thread(self._store.count_votes, None, now.opened_ms or 0)
            if votes < max(wanted, enough if tried == now.id else 0):
                continue  # it was opened again, and has its votes of before; or the last try came to nothing
            if not await self.others.takes("breeding"):
                continue  # another booth breeds it
            tried, enough = now.id, votes + wanted
            self._tell(INFO, f"generation {now.id} has its {votes} votes: the next one is bred")
            try:
                where = self._store.url.render_as_string(hide_password=False)
                number = await self._crew.run(breed, where, self._network, votes)
            except (AlgoritmoError, OSError) as error:
                enough = votes + max(wanted // SOONER, 1)
                self._tell(WARNING, f"the next generation could not be bred ({error}); votes go on")
                continue
            finally:
                await self.others.lays_down("breeding")
            self._wake.set()
            said = f"generation {number} is open" if number else "the next generation did not pass; this one goes on"
            self._tell(INFO, said)

    async def _succeeding(self) -> None:
        """Have the jam, and what answers visitors, play the network of the generation that is open."""
        answered: Path | None = None
        while True:
            await asyncio.sleep(LOOK_S / 2)
            if (now := self.voting.generation) is None:
                continue
            path = network_of(now, self._network)
            with contextlib.suppress(AlgoritmoError):
                await asyncio.to_thread(self._studio.use, path)
            stage = self._stage()
            if stage is None or stage.network is None:
                continue
            if path.resolve() != stage.network.resolve():
                answered = None
                stage.succeed(path)
            elif answered != path and (came := stage.succeeded) is not None:
                answered = path
                state, text = came
                said = f"generation {now.id} plays in the jam" if state == SUCCEEDS else f"the jam plays on as it was: {text}"
                self._tell(INFO if state == SUCCEEDS else WARNING, said)

    async def _forgetting(self) -> None:
        while True:
            with contextlib.suppress(AlgoritmoError):
                if await asyncio.to_thread(forget_visitors, self._store, day_began_ms()):
                    await self.voting.hear()
            await asyncio.sleep(FORGET_S)

    async def _hearing(self) -> None:
        while True:
            if (stage := self._stage()) is not None:
                stage.hear()
            await asyncio.sleep(1)

    # --- what others ask of it ----------------------------------------------------------------------------------------------

    def _about(self) -> dict[str, Any]:
        jam = self._own_jam() or self._jam_elsewhere()
        stage = self._stage()
        alone = {"key": stage.key if stage is not None else 0, "bpm": round(self._tempo_bpm, 2)}
        return {
            **(alone if jam is None else jam),
            "jam": jam is not None,
            "wanted": self._booth.votes,
            "address": f"{self.address}{PAGE}/",
            "wifi": self._wifi(),
        }

    def _wifi(self) -> dict[str, str] | None:
        if not self._booth.wifi:
            return None
        return {"name": self._booth.wifi, "password": self._booth.wifi_password}

    def _hide(self, of: object) -> None:
        self._gallery.hide(of if type(of) is int else None)

    def _set_room(self, on: object) -> None:
        self._room.on = bool(on)

    def _hide_clip(self, of: object) -> None:
        if type(of) is int and of in self.voting.clips:
            self._go(self.voting.hide(of))
