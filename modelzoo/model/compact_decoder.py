"""Decoder of the default model: the two-way transformer of SAM, plus prompts drawn as maps.

SAM's decoder learns from prompt tokens alone, which takes far more training than a small team has. Here a prompt
enters three times: as a token with its position, as the image feature under it, and as a dense map at stride 4
(clicks as Gaussians, the box, the previous mask, and how alike every place is to the clicked ones). The maps do most
of the work early in training; see docs/decisions/0003-default-model.md.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelzoo.model.compact_encoder import ConvNormAct, ResidualBlock
from modelzoo.model.transformer import TwoWayTransformer

COARSE_STRIDE, MIDDLE_STRIDE, FINE_STRIDE = 16, 8, 4
POSITION_UNIT = 256.0  # input pixels to one unit of the position code, whatever the size of the picture
CLICK_RADIUS = 6.0  # standard deviation of a click's Gaussian, input pixels
PROMPT_MAPS = 6  # positive clicks, negative clicks, box, previous mask, affinity to positives, affinity to negatives
LOGIT_SCALE = 4.0  # previous logits enter as tanh(logit / LOGIT_SCALE)
UNSEEN = -1e9  # score of what must not count (padding, masks that are not asked); finite, so that nothing gives NaN
SHARPNESS, SHARPNESS_BOXED = 8.0, 30.0  # of the weights by predicted IoU that average the masks; where a box is given
# Point labels, as in SAM's exported decoder.
PADDING, NEGATIVE, POSITIVE, CORNER_FIRST, CORNER_SECOND = -1, 0, 1, 2, 3


class PositionCode(nn.Module):
    """Random Fourier features of a place (Tancik et al. 2020), as in SAM, in units of POSITION_UNIT input pixels."""

    frequencies: Tensor

    def __init__(self, channels: int, spread: float = 1.5) -> None:
        super().__init__()
        self.register_buffer("frequencies", spread * torch.randn(2, channels // 2))

    def forward(self, points: Tensor) -> Tensor:
        """... x 2 (x, y) in input pixels -> ... x channels."""
        angles = 2 * math.pi * ((points / POSITION_UNIT) @ self.frequencies)
        return torch.cat([angles.sin(), angles.cos()], dim=-1)

    def grid(self, x: Tensor, y: Tensor) -> Tensor:
        """The same of all places of a grid: x (w) and y (h) in input pixels -> channels x h x w.

        By the sines and cosines of the two sides alone, since the angle of a place is the sum of theirs: one of each
        for every row and column instead of every place, a twentieth of the decoder's time on a CPU.
        """
        across, down = self.frequencies[:, :, None] * (2 * math.pi / POSITION_UNIT)  # channels / 2 x 1
        right, below = (across * x)[:, None], (down * y)[:, :, None]
        sine = right.sin() * below.cos() + right.cos() * below.sin()
        cosine = right.cos() * below.cos() - right.sin() * below.sin()
        return torch.cat([sine, cosine])


def centres(cells: int, stride: int, like: Tensor) -> Tensor:
    """Centres of the cells along one side of a map, in input pixels."""
    return (torch.arange(cells, device=like.device, dtype=like.dtype) + 0.5) * stride


def grid_centres(height: int, width: int, stride: int, like: Tensor) -> Tensor:
    """Centres of the cells of a map, H x W x 2 (x, y) in input pixels."""
    x, y = centres(width, stride, like), centres(height, stride, like)
    return torch.stack([x[None, :].expand(height, width), y[:, None].expand(height, width)], dim=-1)


def sampling_grid(coarse: Tensor, points: Tensor) -> Tensor:
    """B x N x 2 input pixels -> B x 1 x N x 2 in -1 ... 1, the same for all maps: they cover the same padded frame."""
    height, width = coarse.shape[-2:]
    # The sides are divided one by one: as a constant tensor they would be frozen into the exported graph.
    x, y = points[..., 0] / (width * COARSE_STRIDE), points[..., 1] / (height * COARSE_STRIDE)
    return (2 * torch.stack([x, y], dim=-1) - 1).unsqueeze(1)


def sample_at(features: Tensor, grid: Tensor) -> Tensor:
    """Bilinear samples of B x C x h x w -> B x C x N."""
    sampled = F.grid_sample(features, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return sampled[:, :, 0]


def mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


class CompactDecoder(nn.Module):
    """Three maps of one or more pictures and their prompts -> four masks at stride 4 and their predicted IoUs.

    `forward` is what training sees: mask 0 learns from several prompts or a box, masks 1 to 3 are the candidates for an
    ambiguous click (paper section 3). `answer` is what people get.
    """

    def __init__(
        self,
        coarse_channels: int,
        middle_channels: int,
        fine_channels: int,
        affinity_channels: int,
        heads: int = 4,
        depth: int = 2,
        mlp_channels: int = 256,
        candidates: int = 3,
    ) -> None:
        super().__init__()
        dim = coarse_channels
        self.fine_channels = fine_channels
        self.masks = candidates + 1
        self.position = PositionCode(dim)
        self.label_embedding = nn.Embedding(4, dim)
        self.feature_token = nn.Linear(coarse_channels + middle_channels + fine_channels + affinity_channels, dim)
        self.output_tokens = nn.Parameter(torch.randn(1 + self.masks, dim) * 0.5)
        self.affinity_gain = nn.Parameter(torch.tensor(1.0))
        self.maps_to_coarse = nn.Sequential(
            ConvNormAct(PROMPT_MAPS, 16, stride=2),
            ConvNormAct(16, 48, stride=2),
            nn.Conv2d(48, dim, 1),
        )
        self.transformer = TwoWayTransformer(depth=depth, embedding_dim=dim, num_heads=heads, mlp_dim=mlp_channels)
        self.to_middle = nn.ConvTranspose2d(dim, middle_channels, 2, 2)
        self.refine_middle = ResidualBlock(middle_channels)
        self.to_fine = nn.ConvTranspose2d(middle_channels, fine_channels, 2, 2)
        self.maps_to_fine = nn.Conv2d(PROMPT_MAPS, fine_channels, 3, 1, 1)
        self.refine_fine = ConvNormAct(fine_channels, fine_channels)
        self.kernels = nn.ModuleList(mlp(dim, dim, fine_channels + 1) for _ in range(self.masks))
        self.iou_from_token = mlp(dim, dim, self.masks)
        self.iou_from_mask = mlp(dim + 2 * fine_channels + 4, 96, 1)

    def forward(
        self, features: dict[str, Tensor], points: Tensor, labels: Tensor, previous: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Decode B prompts.

        features: `coarse`, `middle`, `fine`, each B x C x h x w, or 1 x C x h x w for B prompts on one picture.
        points: B x N x 2, (x, y) in input pixels. labels: B x N float, see the constants above.
        previous: B x 1 x h4 x w4 logits at stride 4; zeros where there is no previous mask.
        Returns logits B x 4 x h4 x w4 and predicted IoUs B x 4.
        """
        prompts = points.shape[0]
        coarse, middle, fine = (shared_by(features[name], prompts) for name in ("coarse", "middle", "fine"))
        tokens, sampled_affinity = self.prompt_tokens(coarse, middle, fine, points, labels)
        outputs = labels.new_zeros(prompts, 1 + self.masks)
        # Padding must mean nothing, however much of it there is: no token and no place looks at it.
        unseen = torch.cat([outputs, UNSEEN * (labels == PADDING).to(labels.dtype)], dim=1)
        affinity = features["fine"][:, self.fine_channels :]  # of one picture, however many prompts share it
        maps = self.prompt_maps(affinity, sampled_affinity, points, labels, previous)
        source = coarse + self.maps_to_coarse(maps)
        height, width = coarse.shape[-2:]
        where = self.position.grid(centres(width, COARSE_STRIDE, coarse), centres(height, COARSE_STRIDE, coarse))[None]
        tokens, source = self.transformer(source, where.expand(prompts, -1, -1, -1), tokens, unseen)
        source = source.transpose(1, 2).reshape(coarse.shape)
        middle = self.refine_middle(F.relu(self.to_middle(source) + middle))
        mask_features = F.relu(self.to_fine(middle) + fine[:, : self.fine_channels] + self.maps_to_fine(maps))
        mask_features = self.refine_fine(mask_features)
        kernels = torch.stack([kernel(tokens[:, 1 + k]) for k, kernel in enumerate(self.kernels)], dim=1)
        flat = mask_features.flatten(2)
        logits = kernels[..., :-1] @ flat + kernels[..., -1:]
        logits = logits.reshape(prompts, self.masks, *mask_features.shape[-2:])
        return logits, self.predicted_iou(tokens[:, 0], logits, flat, source)

    def answer(
        self, features: dict[str, Tensor], points: Tensor, labels: Tensor, previous: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What people get: `forward`, then `answered`."""
        logits, ious = self(features, points, labels, previous)
        return answered(logits, ious, labels)

    def prompt_tokens(
        self, coarse: Tensor, middle: Tensor, fine: Tensor, points: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Output tokens and prompt tokens, B x (5 + N) x dim, and the affinity under each point, B x N x A."""
        grid = sampling_grid(coarse, points)
        under = torch.cat([sample_at(features, grid) for features in (coarse, middle, fine)], dim=1).transpose(1, 2)
        kinds = self.label_embedding(labels.clamp(min=0).long())
        tokens = kinds + self.position(points) + self.feature_token(under)
        outputs = self.output_tokens[None].expand(points.shape[0], -1, -1)
        affinity_channels = fine.shape[1] - self.fine_channels
        return torch.cat([outputs, tokens], dim=1), under[..., -affinity_channels:]

    def prompt_maps(
        self, affinity: Tensor, sampled: Tensor, points: Tensor, labels: Tensor, previous: Tensor
    ) -> Tensor:
        """The six prompt maps at stride 4, B x 6 x h4 x w4. affinity: 1 or B x A x h4 x w4."""
        prompts, (height, width) = points.shape[0], affinity.shape[-2:]
        x, y = centres(width, FINE_STRIDE, affinity), centres(height, FINE_STRIDE, affinity)
        # Gaussians and boxes are products of one factor for each side.
        near_x, near_y = gaussian(points[..., :1] - x), gaussian(points[..., 1:] - y)
        nearness = (near_y[..., None] * near_x[:, :, None]).flatten(2)
        alike = F.normalize(sampled, dim=-1) @ F.normalize(affinity.flatten(2), dim=1)
        positive = (labels == POSITIVE).to(points.dtype).unsqueeze(-1)
        negative = (labels == NEGATIVE).to(points.dtype).unsqueeze(-1)
        rows = [
            (nearness * positive).amax(1),
            (nearness * negative).amax(1),
            box_map(x, y, points, labels).flatten(1),
            torch.tanh(previous.flatten(1) / LOGIT_SCALE),
            self.affinity_gain * (alike * positive).amax(1).clamp(min=0),
            self.affinity_gain * (alike * negative).amax(1).clamp(min=0),
        ]
        return torch.stack(rows, dim=1).reshape(prompts, PROMPT_MAPS, height, width)

    def predicted_iou(self, token: Tensor, logits: Tensor, flat_features: Tensor, source: Tensor) -> Tensor:
        """B x 4 predicted IoUs: what the IoU token says, corrected by a look at each mask that was made.

        logits B x 4 x h4 x w4, flat_features B x C x (h4 w4), source B x dim x h16 x w16. The look costs little: what
        the decoder knows of the picture inside the mask, mean features inside and just outside it, its area, how sure
        its pixels are and how far it shrinks between the logit levels -1 and +1 (the stability of the paper, smooth).
        """
        detached = logits.detach()
        inside_map = detached.sigmoid()
        share = F.avg_pool2d(inside_map, COARSE_STRIDE // FINE_STRIDE).flatten(2)
        known = share @ source.flatten(2).transpose(1, 2) / (share.sum(-1, keepdim=True) + 0.1)
        inside = inside_map.flatten(2)
        area = inside.sum(-1, keepdim=True) + 1.0
        rim = 4 * inside * (1 - inside)
        rim_area = rim.sum(-1, keepdim=True) + 1.0
        shrunk = (detached - 1).sigmoid().sum((-2, -1)).unsqueeze(-1) + 1.0
        grown = (detached + 1).sigmoid().sum((-2, -1)).unsqueeze(-1) + 1.0
        pixels = flat_features.shape[-1]
        looked = torch.cat(
            [
                known,
                inside @ flat_features.transpose(1, 2) / area,
                rim @ flat_features.transpose(1, 2) / rim_area,
                torch.log(area / pixels),
                torch.log(rim_area / area),
                shrunk / grown,
                inside.amax(-1, keepdim=True),
            ],
            dim=-1,
        )
        return torch.sigmoid(self.iou_from_token(token) + self.iou_from_mask(looked).squeeze(-1))


def several_prompts(labels: Tensor) -> Tensor:
    """B x N labels -> B bool: more than one point, or a box (whose corners are two)."""
    return (labels >= 0).sum(1) > 1


def answered(logits: Tensor, ious: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The decoder's masks with one of them replaced by what all of them say together (see `consensus`).

    Several prompts, or a box: mask 0. A lone click: the candidate of highest predicted IoU, by the three candidates;
    the other two stay what they are, since an ambiguous click has more than one answer. Shapes as in `forward`.
    """
    boxed = (labels == CORNER_FIRST).any(1)
    mixture, said = consensus(ious, several_prompts(labels), boxed)
    return (mixture @ logits.flatten(2)).view_as(logits), said


def consensus(ious: Tensor, several: Tensor, boxed: Tensor) -> tuple[Tensor, Tensor]:
    """How the masks of an answer come from the decoder's: weights B x C x C over its logits, and predicted IoUs B x C.

    Each mask makes mistakes of its own, so their mean is better than the best of them: the logits are averaged with
    weights that fall by e for every eighth of predicted IoU (0.02 of IoU for one click, 0.03 for five; measured in
    docs/decisions/0010-consensus-of-masks.md). The mean says what the best of its masks said. A box leaves less doubt,
    and the masks that it was not meant for blur it: there the best one nearly decides alone. ious: B x C; several: B
    bool, where all masks are averaged into the first; elsewhere the candidates, all but the first, into their best.
    """
    count = ious.shape[1]
    places = torch.arange(count, device=ious.device)[None]
    several = several[:, None]
    pool = torch.where(several | (places > 0), ious, torch.full_like(ious, UNSEEN))
    replaced = (places == torch.where(several, 0, pool.argmax(1, keepdim=True))).to(ious.dtype)
    sharpness = torch.where(boxed, SHARPNESS_BOXED, SHARPNESS).to(ious.dtype)[:, None]
    weights = torch.softmax(sharpness * pool, 1)
    identity = torch.eye(count, device=ious.device, dtype=ious.dtype)
    mixture = identity * (1 - replaced)[..., None] + replaced[..., None] * weights[:, None]
    said = ious * (1 - replaced) + replaced * pool.amax(1, keepdim=True)
    return mixture, said


def shared_by(features: Tensor, prompts: int) -> Tensor:
    return features if features.shape[0] == prompts else features.expand(prompts, -1, -1, -1)


def gaussian(distance: Tensor) -> Tensor:
    return torch.exp(distance.square() / (-2 * CLICK_RADIUS**2))


def box_map(x: Tensor, y: Tensor, points: Tensor, labels: Tensor) -> Tensor:
    """B x h4 x w4: +1 inside the box, -1 outside, 0 where no box was given. The two corners carry labels 2 and 3.

    x (w4) and y (h4): the centres of the cells in input pixels.
    """
    first = (labels == CORNER_FIRST).to(points.dtype).unsqueeze(-1)
    second = (labels == CORNER_SECOND).to(points.dtype).unsqueeze(-1)
    low, high = (points * first).sum(1), (points * second).sum(1)
    inside_x = ((x >= low[:, :1]) & (x <= high[:, :1])).to(points.dtype)
    inside_y = ((y >= low[:, 1:]) & (y <= high[:, 1:])).to(points.dtype)
    return (2 * inside_y[:, :, None] * inside_x[:, None] - 1) * first.amax(1)[..., None]
