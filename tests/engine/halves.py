"""Pictures whose halves look like two colours, a decoder that knows both, and searches on them by the API."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from annotation import storage
from annotation.jobkit import run_pending
from annotation.models import Mask
from engine import jobs  # noqa: F401  searches are jobs
from engine.models import Embedding
from modelzoo.geometry import Frame
from tests.cast import add_image, add_mask, ellipse

RED, GREEN, BLUE = (1, 0, 0), (0, 1, 0), (0, 0, 1)
LEFT, RIGHT = 0.25, 0.75


def encoded(image, version, left, right) -> None:
    """An embedding whose left half looks like one vector and the right half like another."""
    maps = np.zeros((3, 4, 6), "<f2")
    maps[:, :, :3], maps[:, :, 3:] = np.reshape(left, (3, 1, 1)), np.reshape(right, (3, 1, 1))
    path = f"embeddings/{version.pk}-{image.pk}.f16"
    storage.write_atomic(path, maps.tobytes())
    frame = Frame((image.height, image.width), (image.height, image.width), (image.height, image.width))
    layout = [{"name": "coarse", "shape": [3, 4, 6]}]
    Embedding.objects.create(
        image=image, version=version, path=path, layout=layout, frame=frame.as_dict(), byte_size=maps.nbytes
    )


class Halves:
    """A decoder for pictures of 60 x 40: the ellipse in the half that was asked about, whatever was asked."""

    model = SimpleNamespace(mask_threshold=0.0, mask_stride=1, one_part=False)

    def _answers(self, embedding, xs):
        rows, columns = np.mgrid[: embedding.frame.padded_size[0], : embedding.frame.padded_size[1]]
        shapes = []
        for x in xs:
            middle = LEFT if x < 30 else RIGHT
            inside = ((columns / 60 - middle) / 0.15) ** 2 + ((rows / 40 - 0.5) / 0.15) ** 2 <= 1
            shapes.append(np.where(inside, 9.0, -9.0).astype(np.float32))
        return np.array(shapes)

    def decode_points(self, embedding, points):
        answers = self._answers(embedding, [x for x, _ in points])
        return np.repeat(answers[:, None], 3, axis=1), np.full((len(points), 3), 0.9, np.float32)

    def decode_boxes(self, embedding, boxes):
        return self._answers(embedding, [(x0 + x1) / 2 for x0, _, x1, _ in boxes]), np.full(len(boxes), 0.9, np.float32)


def picture(cast, base, seed, left, right):
    """An image whose halves look like two colours; padded to a square of which the map has 4 x 6 cells."""
    image = add_image(cast.dataset, seed=seed)
    encoded(image, base, left, right)
    return image


def half(image, x, **fields) -> Mask:
    return add_mask(image, ellipse(image, x=x, size=0.15), **fields)


def find(client, image, **body):
    answer = client.post(f"/api/images/{image.pk}/alike/", body)
    assert answer.status_code == 202, answer.json()
    run_pending()
    return client.get(f"/api/jobs/{answer.json()['id']}/").json()


def propose(client, dataset, **body):
    answer = client.post(f"/api/datasets/{dataset.pk}/alike/", {"threshold": 0.3, **body})
    assert answer.status_code == 202, answer.json()
    run_pending()
    return client.get(f"/api/jobs/{answer.json()['id']}/").json()
