"""A client for Anymask's REST API: typed, with nothing but the standard library; this folder works alone.

    client = Client("https://anymask.example.org", token)          # the token is made on the page of your account
    [dataset] = [one for one in client.datasets() if one.name == "Pears"]
    client.upload(dataset.id, "pears.zip", licence="CC BY 4.0")     # goes on where it stopped, also tomorrow
    job = client.wait(client.export(dataset.id, "coco", options={"masks": "polygons"}).id)
    client.download(job, "out/")

Masks are compressed COCO RLE ({"size": [h, w], "counts": text}): pycocotools.mask.decode gives the pixels. Whatever may
be sent twice is sent again when the connection breaks or the server is busy; docs/client.md has more examples.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

from .records import RLE, Alike, Candidate, Dataset, Image, Job, JobFailed, Mask, Segmented, Upload, row_of
from .wire import AGAIN, WAITS, ApiError, Wire

__all__ = [
    "Alike",
    "ApiError",
    "Candidate",
    "Client",
    "Dataset",
    "Image",
    "Job",
    "JobFailed",
    "Mask",
    "Segmented",
    "Upload",
]

TUS = {"Tus-Resumable": "1.0.0"}
PIECE = 8 << 20
PROMPTS = 64  # of one request
PATIENCE = 600.0  # seconds, as the page has
ENDED = ("succeeded", "failed", "cancelled")


class Client:
    """Everything a script needs of one installation. Raises ApiError for refusals, OSError where nobody answers."""

    def __init__(self, url: str, token: str, *, timeout: float = 60) -> None:
        """`url` of the installation, `token` of a person: a client may do what that person may."""
        self._wire = Wire(url, token, timeout)

    # --- Looking ---------------------------------------------------------------------------------------------------

    def user(self) -> str:
        """The name of whom the token belongs to. Raises ApiError 401 for a token that opens nothing."""
        return str(self._wire.ask("GET", "api/session/")["user"]["username"])

    def datasets(self) -> Iterator[Dataset]:
        """Those the person is a member of."""
        return (row_of(Dataset, one) for one in self._wire.pages("api/datasets/"))

    def dataset(self, dataset: int) -> Dataset:
        """One of them."""
        return row_of(Dataset, self._wire.ask("GET", f"api/datasets/{dataset}/"))

    def create_dataset(self, name: str, *, description: str = "", licence: str = "") -> Dataset:
        """A new one, which the person leads."""
        body = {"name": name, "description": description, "licence": licence}
        return row_of(Dataset, self._wire.ask("POST", "api/datasets/", body))

    def images(self, dataset: int, **filters: str) -> Iterator[Image]:
        """Its images, a page at a time; `filters` any of state, stage and split."""
        query = urlencode({**filters, "limit": "500"})
        return (row_of(Image, one) for one in self._wire.pages(f"api/datasets/{dataset}/images/?{query}"))

    def picture(self, image: Image) -> bytes:
        """Its file: upright, 8-bit RGB, JPEG or PNG."""
        return self._wire.send("GET", image.file_url).body

    def masks(self, image: int, *, history: bool = False) -> list[Mask]:
        """Accepted and proposed masks; with `history` superseded and deleted ones too."""
        rows = self._wire.ask("GET", f"api/images/{image}/masks/" + ("?history=1" if history else ""))
        return [row_of(Mask, one) for one in rows]

    # --- Masks -----------------------------------------------------------------------------------------------------

    def save_mask(
        self,
        image: int,
        segmentation: RLE,
        *,
        source: str = "hand",
        category: str = "",
        parent: str | None = None,
        mask_id: str | None = None,
        **more: Any,
    ) -> Mask:
        """Save an accepted mask, or correct `parent`. The same `mask_id` with the same content is saved once.

        `more`: any of stage, prompts, predicted_iou, stability_score, model, seconds, edits, task.
        """
        body = {"image": image, "segmentation": segmentation, "source": source, "category": category, **more}
        if parent is not None:
            body["parent"] = parent
        return row_of(Mask, self._wire.ask("PUT", f"api/masks/{mask_id or uuid.uuid4()}/", body))

    def delete_mask(self, mask_id: str) -> None:
        """Into the bin, from which POST /api/masks/{id}/restore/ takes it back."""
        self._wire.send("DELETE", f"api/masks/{mask_id}/")

    def predict(
        self,
        image: int,
        *,
        points: Sequence[Sequence[float]] = (),
        labels: Sequence[int] = (),
        box: Sequence[float] | None = None,
        mask_input: RLE | None = None,
        multimask: bool = True,
    ) -> list[Candidate]:
        """What the serving model offers for points (x, y; label 1 inside, 0 outside), a box (x0, y0, x1, y1) or a mask.

        Waits while the picture is being encoded.
        """
        body: dict[str, Any] = {"points": list(points), "labels": list(labels), "multimask": multimask}
        body |= {name: value for name, value in (("box", box), ("mask_input", mask_input)) if value is not None}
        told = self._wire.ask("POST", f"api/images/{image}/predict/", body, again=True)
        return [row_of(Candidate, {**one, "model": told["model"]}) for one in told["candidates"]]

    def segment(
        self, image: int, prompts: Sequence[Mapping[str, Any]], *, orientation: bool = False
    ) -> list[Segmented]:
        """The best mask for each of any number of prompts, in their order: what a robot or a detector asks for.

        A prompt has points ([[x, y], ...]) with labels (1 inside, 0 outside; all inside if left out), a box ([x0, y0,
        x1, y1]) or both, and a name if one is wanted. 64 go in one request; a server that is asked too often is waited
        for.
        """
        found: list[Segmented] = []
        for start in range(0, len(prompts), PROMPTS):
            body = {"prompts": [dict(one) for one in prompts[start : start + PROMPTS]], "orientation": orientation}
            told = self._wire.ask("POST", f"api/images/{image}/segment/", body, again=True)
            for one in told["masks"]:
                centroid = one["centroid"] and tuple(one["centroid"])
                whole = {**one, **(one["pose"] or {}), "centroid": centroid, "model": told["model"]}
                found.append(row_of(Segmented, whole))
        return found

    def find_alike(
        self, image: int, *, examples: Sequence[str] = (), category: str = "", text: str = ""
    ) -> list[Alike]:
        """Everything on a picture like example masks (their ids), like the masks of a category, or what a text speaks
        of where the server has a text encoder; the most alike first.

        Raises ApiError and JobFailed.
        """
        body = _sought(examples, category, text)
        job = self.wait(row_of(Job, self._wire.ask("POST", f"api/images/{image}/alike/", body, again=True)).id)
        told = job.result or {}
        about = {"category": told["category"], "model": told["model"]}
        return [row_of(Alike, {**one, **about}) for one in told["masks"]]

    def propose_alike(
        self, dataset: int, *, threshold: float, examples: Sequence[str] = (), category: str = "", text: str = ""
    ) -> Job:
        """Have the same proposed on every picture that waits for an annotator; wait for the job."""
        body = {**_sought(examples, category, text), "threshold": threshold}
        return row_of(Job, self._wire.ask("POST", f"api/datasets/{dataset}/alike/", body))

    def embedding(self, image: int) -> dict[str, bytes]:
        """What the encoder of the serving model says of a picture: map name -> .npy file (`numpy.load`).

        float16, channels x rows x columns. Waits while the picture is being encoded.
        """
        address = f"api/images/{image}/embedding/"
        while (told := self._wire.ask("GET", address))["state"] == "pending":
            time.sleep(0.5)
        if told["state"] != "ready":
            raise ApiError(503, "embedding_failed", told["message"], {})
        return {one["name"]: self._wire.send("GET", f"{address}{one['name']}.npy").body for one in told["layout"]}

    # --- Files in and out ------------------------------------------------------------------------------------------

    def upload(
        self,
        dataset: int,
        path: str | os.PathLike[str],
        *,
        on_progress: Callable[[int, int], None] = lambda sent, total: None,
        **rights: str,
    ) -> Upload:
        """Upload a picture, a video or an archive of them (tus), and wait until all of it was looked at.

        An upload that broke off, in this program or an earlier one, goes on where the server's file ends. `rights`: any
        of licence, source, credit, consent, and frames_per_second of a video. `on_progress` gets bytes sent and bytes
        in all.
        """
        address = self._sent(dataset, Path(path), rights, on_progress)
        while True:
            upload = row_of(Upload, self._wire.ask("GET", address))
            if upload.state not in ("receiving", "arrived"):
                return upload
            time.sleep(0.5)

    def import_archive(self, dataset: int, path: str | os.PathLike[str], *, file_format: str = "auto") -> Job:
        """Upload an archive of pictures with annotations (COCO, SA-1B, ...), as `upload` does; wait for the job.

        Raises ApiError for what is no archive.
        """
        about = {"import_format": file_format}
        told = self._wire.ask("GET", self._sent(dataset, Path(path), about, lambda sent, total: None, "?for=import"))
        if told["job"] is None:
            [refusal] = told["refusals"]
            raise ApiError(400, refusal["code"], refusal["message"], {})
        return self.job(told["job"])

    def export(
        self,
        dataset: int,
        file_format: str = "coco",
        *,
        options: Mapping[str, Any] | None = None,
        filters: Mapping[str, Any] | None = None,
        version: int | None = None,
    ) -> Job:
        """Start an export, as docs/formats.md says; wait for the job, then `download` it."""
        body: dict[str, Any] = {"format": file_format, "options": dict(options or {}), "filters": dict(filters or {})}
        if version is not None:
            body["version"] = version
        return row_of(Job, self._wire.ask("POST", f"api/datasets/{dataset}/exports/", body))

    def job(self, job_id: str) -> Job:
        """How far it is."""
        return row_of(Job, self._wire.ask("GET", f"api/jobs/{job_id}/"))

    def wait(
        self, job_id: str, *, seconds: float = 24 * 3600, on_progress: Callable[[Job], None] = lambda job: None
    ) -> Job:
        """The job once it succeeded. Raises JobFailed, and TimeoutError after `seconds`."""
        ends = time.monotonic() + seconds
        while (job := self.job(job_id)).state not in ENDED:
            on_progress(job)
            if time.monotonic() > ends:
                raise TimeoutError(f"{job.title} is not done after {seconds:.0f} s")
            time.sleep(0.5)
        if job.state != "succeeded":
            raise JobFailed(job)
        return job

    def download(self, job: Job, folder: str | os.PathLike[str]) -> Path:
        """The archive of a finished export, in `folder` under its own name once its SHA-256 is right."""
        result = job.result or {}
        target = Path(folder) / Path(str(result["file"])).name
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".part")
        digest = hashlib.sha256()
        address = f"api/exports/{job.id}/download/"
        with self._wire.open("GET", address, elsewhere=True) as answer, partial.open("wb") as file:
            while piece := answer.read(PIECE):
                digest.update(piece)
                file.write(piece)
        if digest.hexdigest() != result["sha256"]:
            raise OSError(f"{target.name} did not arrive whole; download it again")
        partial.replace(target)
        return target

    # --- Uploads ----------------------------------------------------------------------------------------------------

    def _sent(
        self,
        dataset: int,
        file: Path,
        about: Mapping[str, str],
        on_progress: Callable[[int, int], None],
        which: str = "",
    ) -> str:
        """The address of an upload of this file once all of it is there. `about` goes with a new one."""
        size, fingerprint = file.stat().st_size, _fingerprint(file)
        address = self._unfinished(dataset, fingerprint, size, which)
        address = address or self._begin(dataset, file.name, size, fingerprint, about)
        with file.open("rb") as content:
            self._push(address, content, size, on_progress)
        return address

    def _unfinished(self, dataset: int, fingerprint: str, size: int, which: str) -> str | None:
        """The address of an upload of the same file that is not complete."""
        for one in self._wire.ask("GET", f"api/datasets/{dataset}/uploads/{which}")["uploads"]:
            if (one["fingerprint"], one["byte_size"], one["state"]) == (fingerprint, size, "receiving"):
                return f"api/uploads/{one['id']}/"
        return None

    def _begin(self, dataset: int, name: str, size: int, fingerprint: str, rights: Mapping[str, str]) -> str:
        told = {"filename": name, "fingerprint": fingerprint, **rights}
        metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in told.items())
        headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": metadata}
        return str(self._wire.send("POST", f"api/datasets/{dataset}/uploads/", b"", headers).headers["Location"])

    def _push(self, address: str, content: IO[bytes], size: int, on_progress: Callable[[int, int], None]) -> None:
        """Send from where the server's file ends; after a broken connection ask again where that is.

        Gives up where nothing has arrived for PATIENCE seconds: a server may take its time to start again.
        """
        furthest, since = -1, time.monotonic()
        while True:
            try:
                offset = int(self._wire.send("HEAD", address, headers=TUS).headers["Upload-Offset"])
                if offset > furthest:
                    furthest, since = offset, time.monotonic()
                on_progress(offset, size)
                if offset >= size:
                    return
                content.seek(offset)
                headers = {**TUS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
                self._wire.send("PATCH", address, content.read(PIECE), headers)
            except (OSError, http.client.HTTPException, ApiError) as problem:
                refused = isinstance(problem, ApiError) and problem.status not in (*AGAIN, 409)
                if refused or time.monotonic() - since > PATIENCE:
                    raise
                time.sleep(WAITS[0])


def _fingerprint(file: Path) -> str:
    """Names a file for going on with it: name, size, time of change."""
    told = file.stat()
    return hashlib.sha256(f"{file.name}|{told.st_size}|{told.st_mtime_ns}".encode()).hexdigest()


def _sought(examples: Sequence[str], category: str, text: str) -> dict[str, Any]:
    if examples:
        return {"examples": list(examples)}
    return {"text": text} if text else {"category": category}
