"""SAM's mask decoder in three parts: what an image fixes, what a prompt adds to it, and the drawing of the masks.

Attending to a prompt of T tokens adds to the image a sum of at most heads * T columns, and layer normalisation only
scales every position and every channel of it. So after any number of layers the image is

    x[:, p] = shift + gain * (level[p] * base[:, p] + columns @ coefficients[:, p])

with a `base` (C x P, P positions) that no prompt changes, and everything that the decoder asks of x, attention
scores, mixed values, variances and the first step of the upscaling, are products of `base` with weights, known
beforehand, plus products with a few dozen coefficients. `ImageViews` makes the former, `PreparedDecoder` the rest and
`Drawing` the masks of a window of the image: first what lies in the picture, and what lies in the padding beside it
only when a mask is fed back. It pays for few tokens, as people and grids of clicks (modelzoo.model.prepared_clicks)
give them; for training and on a GPU the plain form stands.

The same weights and the same masks within rounding (tests), for less than half the arithmetic of each prompt. A browser
does what `PreparedDecoder` and `Drawing` do by a program of its own: frontend/src/segmenter/sketching.ts, and
frontend/kernel for what has positions.

Everything here is for one prompt on one image, without a batch axis; maps are channels x positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from modelzoo.model.common import LayerNorm2d
from modelzoo.model.mask_decoder import MaskDecoder
from modelzoo.model.prompt_encoder import PromptEncoder
from modelzoo.model.transformer import Attention, TwoWayAttentionBlock

Views = Mapping[str, Tensor]


def centred(columns: Tensor) -> Tensor:
    """C x N -> the same without the mean of each column, as layer normalisation begins."""
    return columns - columns.mean(0, keepdim=True)


def split(rows: Tensor, layer: Attention) -> Tensor:
    """internal x N -> heads x c x N."""
    return rows.reshape(layer.heads, layer.width, -1)


class _Part(nn.Module):
    """What every part knows of the decoder."""

    @torch.no_grad()
    def __init__(self, prompts: PromptEncoder, decoder: MaskDecoder) -> None:
        super().__init__()
        self.prompts, self.decoder = prompts, decoder
        self.blocks: list[TwoWayAttentionBlock] = list(decoder.transformer.layers)  # type: ignore[arg-type]  # a ModuleList of them
        self.no_mask = prompts.no_mask_embed.weight.detach().T  # C x 1
        mask_layer = prompts.mask_downscaling[-1]
        assert isinstance(mask_layer, nn.Conv2d)
        assert mask_layer.bias is not None
        # A mask given as prompt adds these columns to the image: one per hidden channel, one in place of `no_mask`.
        self.mask_columns = torch.cat([mask_layer.weight.flatten(1), mask_layer.bias[:, None] - self.no_mask], dim=1)
        self.positions = prompts.dense_pe()[0].flatten(1)

    @property
    def looks(self) -> list[Attention]:
        """Every attention from the tokens to the image, in order."""
        last = self.decoder.transformer.final_attn_token_to_image
        return [*(block.cross_attn_token_to_image for block in self.blocks), last]

    def gain(self, level: int) -> Tensor:
        """C x 1: what the norm before attention `level` multiplies each channel by."""
        return self.blocks[level - 1].norm4.weight[:, None] if level else torch.ones_like(self.no_mask)

    def shift(self, level: int) -> Tensor:
        """C x 1: what the norm before attention `level` adds."""
        return self.blocks[level - 1].norm4.bias[:, None] if level else torch.zeros_like(self.no_mask)

    def answer_bias(self, level: int) -> Tensor:
        return self.blocks[level].cross_attn_image_to_token.out_proj.bias[:, None]

    def first_upscaling(self) -> tuple[Tensor, Tensor]:
        """The first transposed convolution as C/4 * 4 x C and its bias, C/4 * 4 x 1: four rows, the 2 x 2 places, for
        each channel, centred over the channels, as the norm behind it begins."""
        layer = self.decoder.output_upscaling[0]
        assert isinstance(layer, nn.ConvTranspose2d)
        assert layer.bias is not None
        weight = layer.weight.permute(1, 2, 3, 0)  # C/4 x 2 x 2 x C
        bias = (layer.bias - layer.bias.mean())[:, None].repeat(1, 4)
        return centred(weight).flatten(0, 2), bias.view(-1, 1)


class ImageViews(_Part):
    """Image embedding 1 x C x h x w -> named maps for `PreparedDecoder`, about seven times its size."""

    def forward(self, embedding: Tensor) -> dict[str, Tensor]:
        """See the module. Keys: kind of the product and the number of the attention or norm."""
        image = embedding[0].flatten(1) + self.no_mask
        views: dict[str, Tensor] = {}
        gained, placed = image, image + self.positions
        fixed = self.mask_columns
        bases: list[Tensor] = []
        for level, look in enumerate(self.looks):
            views[f"keys_{level}"] = split(look.k_proj.weight @ placed, look)
            views[f"values_{level}"] = split(look.v_proj.weight @ gained, look).transpose(1, 2)
            if level == len(self.blocks):
                break
            answer = self.blocks[level].cross_attn_image_to_token
            queries = answer.q_proj.weight @ placed
            views[f"queries_{level}"] = split(queries if level else queries + answer.q_proj.bias[:, None], answer)
            added = self.answer_bias(level)
            if level:
                base, fixed = centred(gained), torch.cat([fixed * self.gain(level), self.shift(level) + added], dim=1)
            else:
                base = centred(gained + added)
            fixed = centred(fixed)
            bases.append(base)
            views[f"norm_{level}"] = base.square().sum(0, keepdim=True)
            views[f"fixed_{level}"] = fixed.T @ base
            seen = base
            for earlier in range(level, -1, -1):
                out = self.blocks[earlier].cross_attn_image_to_token
                views[f"answers_{level}_{earlier}"] = split(out.out_proj.weight.T @ seen, out)
                seen = centred(seen * self.gain(earlier))
            gained = placed = base * self.gain(level + 1)
        views["upscaled"] = self.first_upscaling()[0] @ gained
        return views


class Sketch(NamedTuple):
    """What `Drawing` takes of a prompt. P positions of the image, K columns, T masks, C channels."""

    level: Tensor  # 1 x P
    coefficients: Tensor  # K x P
    spread: Tensor  # C x K: the columns after the first step of the upscaling
    weights: Tensor  # T x C/8, one product per mask


class PreparedDecoder(_Part):
    """Prompts on an image that `ImageViews` has prepared -> a sketch of the masks, and their predicted IoUs."""

    @torch.no_grad()
    def __init__(self, prompts: PromptEncoder, decoder: MaskDecoder) -> None:
        super().__init__(prompts, decoder)
        # What positions and norms add to the image's projections, which no prompt changes.
        answers = [block.cross_attn_image_to_token for block in self.blocks]
        self.placed_keys = [self._placed(look, look.k_proj, level) for level, look in enumerate(self.looks)]
        self.placed_queries = [self._placed(layer, layer.q_proj, level) for level, layer in enumerate(answers)]

    def _placed(self, layer: Attention, projection: nn.Linear, level: int) -> Tensor:
        """heads x c x P."""
        return split(projection.weight @ (self.positions + self.shift(level)) + projection.bias[:, None], layer)

    def weights(self) -> dict[str, Tensor]:
        """What a browser's program for this class knows beforehand: the decoder's weights by their own names, and what
        is made of them here. Its numbers (heads, epsilons, sizes) are tensors, too."""
        prompts, decoder = self.prompts, self.decoder
        numbers = {"token_epsilon": decoder.transformer.norm_final_attn.eps, "heads": self.looks[0].heads}
        named = {name: values for name, values in decoder.state_dict().items() if "output_upscaling" not in name}
        named |= {f"mask_downscaling.{name}": values for name, values in prompts.mask_downscaling.state_dict().items()}
        named |= {name: torch.tensor([float(value)]) for name, value in numbers.items()}
        for level, look in enumerate(self.looks):
            named[f"value_shift_{level}"] = (look.v_proj.weight @ self.shift(level))[:, 0] + look.v_proj.bias
        for level in range(len(self.blocks)):
            both = self.shift(level) + self.answer_bias(level)
            named[f"answer_shift_{level}"] = both[:, 0] if level else torch.zeros_like(both[:, 0])
        for kind, placed in (("keys", self.placed_keys), ("queries", self.placed_queries)):
            # Nothing is added to the first ones, which see the image as it came.
            named |= {f"placed_{kind}_{level}": values.flatten(0, 1) for level, values in enumerate(placed) if level}
        return named | {
            "gaussian": prompts.pe_layer.positional_encoding_gaussian_matrix,
            "kinds": prompts.kinds(),
            "input_size": torch.tensor([float(side) for side in prompts.input_image_size]),
            "mask_columns": self.mask_columns,
            "first_upscaling": self.first_upscaling()[0],
        }

    def forward(
        self, views: Views, coords: Tensor, labels: Tensor, mask: Tensor, has_mask: Tensor
    ) -> tuple[Sketch, Tensor]:
        """coords 1 x N x 2 in input pixels, labels 1 x N, mask 1 x 1 x 4h x 4w logits, has_mask 1 (0 or 1)
        -> (sketch of T masks, predicted IoU 1 x T), single-mask token first, as `MaskDecoder.forward`.
        """
        sparse = self.prompts.embed_points(coords, labels)[0]
        decoder = self.decoder
        position = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight, sparse])
        own = decoder.num_mask_tokens
        tokens, image = self._transformed(views, position, 1 + own, *self._masked(mask, has_mask))
        heads = decoder.output_hypernetworks_mlps
        weights = torch.stack([head(tokens[1 + index]) for index, head in enumerate(heads)])
        assert image.level is not None
        sketch = Sketch(image.level, image.coefficients, self.first_upscaling()[0] @ image.columns, weights)
        return sketch, decoder.iou_prediction_head(tokens[0])[None, :own]

    def _masked(self, mask: Tensor, has_mask: Tensor) -> tuple[Tensor, int]:
        """Coefficients of `mask_columns`, K x P, and their number K: one, all zero, is enough without a mask."""
        if not has_mask[0]:
            return torch.zeros_like(self.positions[:1]), 1
        hidden = self.prompts.mask_downscaling[:-1](mask)[0].flatten(1)
        return torch.cat([hidden, torch.ones_like(hidden[:1])]), len(hidden) + 1

    def _transformed(
        self, views: Views, position: Tensor, told: int, masked: Tensor, masks: int
    ) -> tuple[Tensor, _Image]:
        """As `TwoWayTransformer.forward`: of the tokens, N x C, the first `told` after everything, and the image after
        the last block. Nobody asks for the other tokens."""
        image = _Image(None, self.mask_columns[:, :masks], masked)
        tokens = position
        norm_final = self.decoder.transformer.norm_final_attn
        answers: list[Tensor] = []
        for level, block in enumerate(self.blocks):
            if block.first:
                tokens = _attended(block.self_attn, tokens, tokens)
            else:
                tokens = tokens + _attended(block.self_attn, tokens + position, tokens)
            tokens = block.norm1(tokens)
            tokens = block.norm2(tokens + self._look(views, level, tokens + position, image))
            tokens = block.norm3(tokens + block.mlp(tokens))
            weights, values = self._answer(views, level, tokens + position, tokens, image)
            answers.append(values)
            image = self._normalised(views, level, image, weights, answers, masks)
        tokens, position = tokens[:told], position[:told]
        return norm_final(tokens + self._look(views, len(self.blocks), tokens + position, image)), image

    def _look(self, views: Views, level: int, queries: Tensor, image: _Image) -> Tensor:
        """Attention of the tokens, N x C, to the image."""
        layer = self.looks[level]
        q = split(layer.q_proj(queries).T, layer).transpose(1, 2) * layer.scale  # heads x N x c
        scores = self._scores(q, views[f"keys_{level}"], self.placed_keys[level], layer, layer.k_proj, image)
        weights = torch.softmax(scores, dim=-1)
        levelled = weights if image.level is None else weights * image.level
        mixed = levelled @ views[f"values_{level}"]
        spread = weights @ image.coefficients.T
        mixed = mixed + spread @ split(layer.v_proj.weight @ image.columns, layer).transpose(1, 2)
        shift = layer.v_proj.weight @ self.shift(level) + layer.v_proj.bias[:, None]
        mixed = mixed + split(shift, layer).transpose(1, 2)
        result: Tensor = layer.out_proj(mixed.transpose(0, 1).flatten(1))
        return result

    def _scores(
        self, asked: Tensor, view: Tensor, placed: Tensor, layer: Attention, projection: nn.Linear, image: _Image
    ) -> Tensor:
        """heads x N x P: products of heads x N x c with the image's projection, of which `view` is the base's part."""
        scores = asked @ view
        if image.level is not None:
            scores = scores * image.level + asked @ placed
        through = asked @ split(projection.weight @ image.columns, layer)  # heads x N x columns
        return scores + through @ image.coefficients

    def _answer(self, views: Views, level: int, keys: Tensor, values: Tensor, image: _Image) -> tuple[Tensor, Tensor]:
        """Attention of the image to the tokens: weights of all tokens but the first, heads x (N - 1) x P, and values
        heads x N x c. The weights of each head sum to one."""
        layer = self.blocks[level].cross_attn_image_to_token
        k = split(layer.k_proj(keys).T, layer).transpose(1, 2) * layer.scale
        placed = self.placed_queries[level]
        scores = self._scores(k, views[f"queries_{level}"], placed, layer, layer.q_proj, image)
        # A softmax over the middle axis, written so that it goes along the positions.
        weights = (scores - scores.amax(1, keepdim=True)).exp()
        others = weights[:, 1:] / weights.sum(1, keepdim=True)
        return others, split(layer.v_proj(values).T, layer).transpose(1, 2)

    def _normalised(
        self, views: Views, level: int, image: _Image, weights: Tensor, answers: list[Tensor], masks: int
    ) -> _Image:
        """The image plus the answers of block `level`, after its norm. `answers`: values of all blocks so far.

        The first token's value is added everywhere, and of the others only what they differ from it.
        """
        out = self.blocks[level].cross_attn_image_to_token
        added = answers[-1] @ split(out.out_proj.weight.T, out)  # heads x N x C
        everywhere = added[:, :1].sum(0).T
        if level:
            everywhere = everywhere + self.shift(level) + self.answer_bias(level)
        differing = (added[:, 1:] - added[:, :1]).flatten(0, 1).T
        old, new = centred(image.columns), centred(torch.cat([everywhere, differing], dim=1))
        others = weights.flatten(0, 1)
        answered = torch.cat([torch.ones_like(others[:1]), others])
        columns, coefficients = torch.cat([old, new], dim=1), torch.cat([image.coefficients, answered])
        cross = 2 * (self._cross(views, level, answers, masks) * coefficients).sum(0, keepdim=True)
        own = views[f"norm_{level}"]
        if image.level is not None:
            cross, own = cross * image.level, own * image.level.square()
        # The squares of columns @ coefficients; what old and new columns have in common is taken once, twice over.
        shared = torch.cat([old.T @ old, 2 * old.T @ new], dim=1) @ coefficients
        squares = own + cross + (shared * image.coefficients).sum(0, keepdim=True)
        squares = squares + ((new.T @ new @ answered) * answered).sum(0, keepdim=True)
        norm = self.blocks[level].norm4
        scale = (squares.clamp(min=0) / columns.shape[0] + norm.eps).rsqrt()
        lifted = scale if image.level is None else scale * image.level
        return _Image(lifted, columns * norm.weight[:, None], coefficients * scale)

    def _cross(self, views: Views, level: int, answers: list[Tensor], masks: int) -> Tensor:
        """Products of the columns with the base of norm `level`, in the order of the columns."""
        fixed = views[f"fixed_{level}"]
        parts = [fixed[:masks]]
        for earlier, values in enumerate(answers):
            view, first = views[f"answers_{level}_{earlier}"], values[:, :1]  # heads x c x P, heads x 1 x c
            everywhere = first.reshape(1, -1) @ view.flatten(0, 1)
            if earlier:
                shifts = self.mask_columns.shape[1] + earlier - 1
                everywhere = everywhere + fixed[shifts : shifts + 1]
            parts += [everywhere, ((values[:, 1:] - first) @ view).flatten(0, 1)]
        return torch.cat(parts)


class Drawing(_Part):
    """A sketch -> the logits of its masks in a window of the image."""

    @torch.no_grad()
    def __init__(self, prompts: PromptEncoder, decoder: MaskDecoder) -> None:
        super().__init__(prompts, decoder)
        _, norm, _, second, _ = decoder.output_upscaling
        assert isinstance(norm, LayerNorm2d)
        assert isinstance(second, nn.ConvTranspose2d)
        assert second.bias is not None
        weight, bias = self.first_upscaling()
        self.first_bias = weight @ self.shift(len(self.blocks)) + bias
        self.norm = norm
        self.second_weight = second.weight.permute(2, 3, 1, 0).flatten(0, 2)  # four rows, the 2 x 2 places, of C/8
        self.second_bias = second.bias

    def weights(self) -> dict[str, Tensor]:
        """What a browser's program for this class knows beforehand: C/4 channels after its first step, C/8 after the
        second."""
        return {
            "first_bias": self.first_bias.flatten(),  # C/4 * 4
            "norm_weight": self.norm.weight,
            "norm_bias": self.norm.bias,
            "norm_epsilon": torch.tensor([self.norm.eps]),
            "second_weight": self.second_weight,  # 4 * C/8 x C/4
            "second_bias": self.second_bias,
        }

    def forward(self, upscaled: Tensor, sketch: Sketch, window: Tensor) -> Tensor:
        """As `MaskDecoder.draw`. upscaled: `ImageViews`' map of that name, C x P; window: int64 (y0, y1, x0, x1) in
        positions of the embedding -> 1 x T x 4 (y1 - y0) x 4 (x1 - x0).
        """
        base, level, coefficients = (self._cut(rows, window) for rows in (upscaled, sketch.level, sketch.coefficients))
        height, width = base.shape[1:]
        added = sketch.spread @ coefficients.flatten(1) + self.first_bias
        channels, hidden = len(self.norm.weight), len(self.second_bias)
        x = (base.flatten(1) * level.flatten(1) + added).reshape(channels, -1)  # C/4 x 4 * positions
        scale = (x.square().mean(0, keepdim=True) + self.norm.eps).rsqrt()
        x = nn.functional.gelu(x * scale * self.norm.weight[:, None] + self.norm.bias[:, None])
        x = self.second_weight @ x + self.second_bias.repeat(4)[:, None]
        masks = sketch.weights @ nn.functional.gelu(x).reshape(4, hidden, -1)  # 4 x T x 4 * positions
        parts = masks.view(2, 2, -1, 2, 2, height, width)  # inner (y, x), mask, outer (y, x), y, x
        return parts.permute(2, 5, 3, 0, 6, 4, 1).reshape(1, -1, 4 * height, 4 * width)

    def _cut(self, rows: Tensor, window: Tensor) -> Tensor:
        """N x P -> N x rows x columns of the window."""
        image = rows.reshape(-1, *self.prompts.image_embedding_size)
        return image[:, window[0] : window[1], window[2] : window[3]]


class _Image:
    """The image as the module says; gain and columns in one: columns C x K, coefficients K x P, level 1 x P or None
    for ones."""

    def __init__(self, level: Tensor | None, columns: Tensor, coefficients: Tensor) -> None:
        self.level, self.columns, self.coefficients = level, columns, coefficients


def _attended(layer: Attention, placed: Tensor, values: Tensor) -> Tensor:
    """Self-attention of N x C."""
    result: Tensor = layer(placed[None], placed[None], values[None])[0]
    return result
