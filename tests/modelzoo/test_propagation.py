"""A mask through a video: followed, given up where the thing is hidden, found again, remembered as people say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from modelzoo.catalogue import SHIPPED
from modelzoo.checkpoint import load_checkpoint
from modelzoo.geometry import Frame
from modelzoo.predictor import Predictor
from modelzoo.propagation import Propagator, View, inner_points, main_parts
from modelzoo.propagation_cues import Grid, carried, likeness, look_at, recognised
from modelzoo.training.metrics import mask_iou

HEIGHT, WIDTH = 96, 128
HIDDEN = (4, 5)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """The weights that ship: a decoder that knows nothing agrees with nothing."""
    return Predictor(load_checkpoint(SHIPPED / "anymask_compact.safetensors"))


def disc(x: float, y: float = 48, radius: float = 18) -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    inside: np.ndarray = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
    return inside


def picture(thing: np.ndarray | None, seed: int = 0, colour: tuple[int, int, int] = (220, 50, 30)) -> np.ndarray:
    """Bluish noise and, where the thing is, its colour."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 40, (HEIGHT, WIDTH, 3), dtype=np.uint8) + np.array([0, 60, 110], np.uint8)
    if thing is not None:
        pixels[thing] = np.array(colour) + random.integers(-15, 15, (int(thing.sum()), 3))
    return pixels


def seen(predictor: Predictor, pixels: np.ndarray) -> View:
    return View(predictor.encode(pixels), pixels)


@pytest.fixture(scope="module")
def frames(predictor) -> list[tuple[View, np.ndarray]]:
    """Eight frames: it goes to the right, is hidden for two, and comes back lower down."""
    places = [(30, 40), (36, 40), (42, 40), (48, 40), None, None, (80, 60), (86, 60)]
    masks = [disc(*place) if place else np.zeros((HEIGHT, WIDTH), bool) for place in places]
    return [(seen(predictor, picture(mask, number)), mask) for number, mask in enumerate(masks)]


def test_it_is_followed_given_up_while_hidden_and_found_again(predictor, frames):
    propagator = Propagator(predictor)
    propagator.begin(*frames[0])
    for number, found in enumerate(propagator.follow(view for view, _ in frames[1:]), start=1):
        assert found.seen == (number not in HIDDEN), number
        assert 0 <= found.confidence <= 1
        if found.seen:
            assert mask_iou(found.mask, frames[number][1]) > 0.6, number
            assert found.prompts.as_json()[-1] == {"type": "mask"}
            x, y = found.prompts.points[0]
            assert frames[number][1][int(y), int(x)]


def test_frames_are_asked_for_one_by_one(predictor, frames):
    propagator, asked = Propagator(predictor), []

    def views():
        for view, _ in frames[1:]:
            asked.append(view)
            yield view

    propagator.begin(*frames[0])
    next(propagator.follow(views()))
    assert len(asked) == 1


def test_what_was_found_before_is_taken_as_it_is(predictor, frames):
    found = []
    for way in ("step", "recall"):
        propagator = Propagator(predictor)
        propagator.begin(*frames[0])
        first = propagator.step(frames[1][0])
        if way == "recall":
            propagator = Propagator(predictor)
            propagator.begin(*frames[0])
            propagator.recall(frames[1][0], first.mask, first.confidence)
        found.append(propagator.step(frames[2][0]))
    assert np.array_equal(found[0].mask, found[1].mask)
    assert found[0].confidence == found[1].confidence


def test_another_frame_that_people_masked_says_what_else_belongs_to_it(predictor):
    """The thing turns: its back has another colour, which nobody knows from the first frame."""
    front, back = picture(disc(40)), picture(disc(90), 1, colour=(240, 230, 60))
    target = seen(predictor, picture(disc(60), 2, colour=(240, 230, 60)))

    def met(*said: tuple[np.ndarray, np.ndarray]) -> float:
        propagator = Propagator(predictor)
        for pixels, mask in said:
            propagator.keep(seen(predictor, pixels), mask)
        propagator.begin(seen(predictor, front), disc(40))
        return mask_iou(propagator.step(target).mask, disc(60))

    assert met((back, disc(90))) > 0.6 > met()


def test_beginning_elsewhere_forgets_what_was_recent_and_nothing_that_people_said(predictor, frames):
    propagator = Propagator(predictor)
    propagator.begin(*frames[0])
    propagator.step(frames[1][0])
    propagator.begin(*frames[6])
    assert mask_iou(propagator.step(frames[7][0]).mask, frames[7][1]) > 0.6
    assert propagator.memory == 2


def test_it_follows_nothing_before_it_began(predictor):
    with pytest.raises(RuntimeError, match="begin"):
        Propagator(predictor).step(seen(predictor, picture(None)))


def test_a_thing_of_a_few_pixels_and_one_that_fills_the_picture_break_nothing(predictor):
    for mask in (disc(40, radius=1), np.ones((HEIGHT, WIDTH), bool)):
        propagator = Propagator(predictor)
        propagator.begin(seen(predictor, picture(mask)), mask)
        found = propagator.step(seen(predictor, picture(mask, 1)))
        assert found.mask.shape == (HEIGHT, WIDTH)
        assert np.isfinite(found.confidence)


def test_a_sam_is_asked_in_the_same_way(small_sam):
    predictor = Predictor(small_sam)
    propagator = Propagator(predictor)
    propagator.begin(seen(predictor, picture(disc(40))), disc(40))
    assert propagator.step(seen(predictor, picture(disc(46), 1))).mask.shape == (HEIGHT, WIDTH)


# --- Cues ---------------------------------------------------------------------------------------------------------

FRAME = Frame(original_size=(60, 100), input_size=(77, 128), padded_size=(80, 128))


def test_cells_lie_over_the_picture_alone():
    grid = Grid.of(FRAME, 4)
    assert (grid.stride, grid.padded, grid.size) == (4, (20, 32), (20, 32))
    mask = np.zeros((60, 100), bool)
    mask[:, :50] = True
    share = grid.share(mask)
    assert share[:, :16].min() == 1
    assert share[:, 16:].max() == 0
    assert grid.to_original(np.array([[16, 10]])) == pytest.approx(np.array([[50, 40 * 60 / 77]]))


def test_large_inputs_have_larger_cells():
    assert Grid.of(Frame((600, 1000), (614, 1024), (1024, 1024)), 4).stride == 8


def test_a_label_is_carried_as_far_as_the_window_reaches():
    random = torch.Generator().manual_seed(0)
    before = torch.nn.functional.normalize(torch.randn(16, 12, 20, generator=random), dim=0)
    label = torch.zeros(12, 20)
    label[4:8, 3:7] = 1
    moved, expected = torch.roll(before, 5, dims=2), torch.roll(label, 5, dims=1)
    found, sure = carried(before, label, moved, reach=5)
    assert ((found > 0.5) == (expected > 0.5))[:, 5:].all()
    assert sure[:, 5:].min() > 0.99
    short, _ = carried(before, label, moved, reach=3)
    assert mask_iou((short > 0.5).numpy(), expected.numpy() > 0.5) < 0.5


def test_a_cell_is_like_the_side_that_has_its_like_and_like_neither_when_it_is_new():
    inside, outside = torch.eye(4)[:1], torch.eye(4)[1:2]
    assert likeness(torch.eye(4)[:3], inside, outside).tolist() == [1, -1, 0]
    assert recognised(torch.eye(4)[:3], inside, outside).tolist() == pytest.approx([0.4, -1, -0.6])


def test_what_is_new_is_judged_by_how_alike_the_thing_still_is():
    inside, outside = torch.eye(4)[:1], torch.eye(4)[1:2]
    angle = torch.deg2rad(torch.tensor([50.0, 50.0, 50.0, 62.0]))
    turned = torch.stack([angle.cos(), torch.zeros(4), angle.sin(), torch.zeros(4)], dim=1)
    assert (recognised(turned, inside, outside) > 0).tolist() == [True, True, True, False]


def test_every_map_counts_alike_and_near_is_of_unit_length(predictor):
    pixels = picture(disc(40))
    look = look_at(predictor.encode(pixels), pixels, 4)
    assert look.near.shape[1:] == look.far.shape[1:] == look.grid.size
    assert look.near.norm(dim=0) == pytest.approx(1.0, abs=1e-5)
    maps = [tensor.shape[0] for tensor in predictor.encode(pixels).tensors.values()]
    for part in look.far[:-3].split(maps):
        assert part.norm(dim=0) == pytest.approx(1.0, abs=1e-5)


def test_a_thing_that_fills_the_frame_is_still_known():
    """Nothing lies outside then: what is like the thing is the thing."""
    cells = torch.nn.functional.normalize(torch.tensor([[1.0, 0.2], [0.9, 0.1], [-1.0, 0.3]]), dim=1)
    for judge in (likeness, recognised):
        found = judge(cells, cells[:1], cells[:0])
        assert found.isfinite().all()
        assert (found[:2] > 0).all()


def test_points_lie_deep_inside_and_apart():
    region = np.zeros((20, 40), bool)
    region[2:18, 2:18] = region[8:12, 20:38] = True
    points = inner_points(region, 3)
    assert len(points) == 3
    assert all(region[int(y), int(x)] for x, y in points)
    assert np.abs(points[0] - (10, 10)).max() <= 1
    gaps = [np.hypot(*(a - b)) for i, a in enumerate(points) for b in points[i + 1 :]]
    assert min(gaps) > 4


def test_crumbs_beside_a_region_are_left_out():
    region = np.zeros((20, 20), bool)
    region[2:10, 2:10] = region[15, 15] = True
    kept = main_parts(region, region, 64)
    assert not kept[15, 15]
    assert kept[5, 5]


def test_a_look_alike_away_from_where_the_thing_was_is_left_out_and_one_found_again_is_not():
    region, before = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    region[2:6, 2:6] = region[10:18, 10:18] = True
    before[5:9, 5:9] = True
    assert np.array_equal(main_parts(region, before, 16), region & (np.arange(20) < 8))
    assert np.array_equal(main_parts(region, before, 64), region)  # most of it is elsewhere now
    assert np.array_equal(main_parts(region, np.zeros_like(before), 16), region)
