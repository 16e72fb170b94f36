"""The service's HTTP interface."""

import time
from collections import OrderedDict

import snowballstemmer
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from .mood import Mood, MoodReader, MoodTrack
from .settings import Settings


class Utterance(BaseModel):
    person: str = Field(min_length=1, max_length=200)
    text: str = Field(min_length=1, max_length=20_000)


def answer(mood: Mood) -> dict[str, object]:
    return {"mood": mood.name, "valence": round(mood.valence, 3), "arousal": round(mood.arousal, 3), "words": mood.words}


def create_app(settings: Settings) -> FastAPI:
    reader = MoodReader(snowballstemmer.stemmer("english").stemWord)
    people: OrderedDict[str, MoodTrack] = OrderedDict()  # who was silent for longest comes first
    application = FastAPI(title="affective-processing-center")

    @application.get("/health")
    async def health() -> dict[str, object]:
        return {"status": "ok", "machine": settings.machine, "people": len(people)}

    @application.post("/utterances", status_code=201)
    async def hear(utterance: Utterance) -> dict[str, object]:
        mood = reader.read(utterance.text)
        track = people.setdefault(utterance.person, MoodTrack(settings.half_life_s))
        people.move_to_end(utterance.person)
        while len(people) > settings.most_people:
            people.popitem(last=False)
        return {"text": answer(mood), "person": answer(track.add(mood, time.monotonic()))}

    @application.get("/people/{person}")
    async def mood_of(person: str) -> dict[str, object]:
        if person not in people:
            raise HTTPException(status_code=404, detail=f"nothing was heard from '{person}'")
        return answer(people[person].at(time.monotonic()))

    return application
