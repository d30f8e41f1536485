"""SAM as one promptable model, and its published variants.

Segment Anything (Kirillov et al. 2023), section 3 and appendix A. The state dict has the layout of the official
checkpoints, so they load with strict keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from modelzoo.geometry import Frame, preprocess_shape
from modelzoo.model.clicks import Answers, answers_by_decoding
from modelzoo.model.image_encoder import ImageEncoderViT
from modelzoo.model.mask_decoder import MaskDecoder
from modelzoo.model.prepared_clicks import PreparedClicks
from modelzoo.model.prompt_encoder import PromptEncoder
from modelzoo.model.tiny_vit import TinyViT
from modelzoo.model.transformer import TwoWayTransformer

EMBEDDING = "image_embeddings"
ENCODERS: dict[str, type[ImageEncoderViT] | type[TinyViT]] = {"vit": ImageEncoderViT, "tiny_vit": TinyViT}


class Sam(nn.Module):
    """Image encoder, prompt encoder and mask decoder behind the promptable-model protocol.

    `encode` runs once per picture, `decode` once per set of prompts. Masks come as logits at a quarter of the padded
    resolution; `modelzoo.geometry.upscale_logits` brings them to the picture.
    """

    pixel_mean: Tensor
    pixel_std: Tensor
    tensor_names = (EMBEDDING,)
    mask_stride = 4
    one_part = False  # what an occluder cuts in two is one thing to SAM

    def __init__(
        self,
        image_encoder: ImageEncoderViT | TinyViT,
        prompt_encoder: PromptEncoder,
        mask_decoder: MaskDecoder,
        config: Mapping[str, Any],
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.prompt_encoder = prompt_encoder
        self.mask_decoder = mask_decoder
        self.config: dict[str, Any] = dict(config)
        self.variant = str(config.get("variant", "sam"))
        self.mask_threshold = float(config["mask_threshold"])
        # Not in the official checkpoints, hence not persistent.
        self.register_buffer("pixel_mean", torch.tensor(config["pixel_mean"]).view(-1, 1, 1), persistent=False)
        self.register_buffer("pixel_std", torch.tensor(config["pixel_std"]).view(-1, 1, 1), persistent=False)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.pixel_mean.device

    def frame(self, original_size: tuple[int, int]) -> Frame:
        """How a picture of (h, w) pixels lies in the square input: longer side resized to it, top left."""
        side = self.image_encoder.img_size
        return Frame(original_size, preprocess_shape(*original_size, side), (side, side))

    def preprocess(self, image: np.ndarray) -> Tensor:
        """H x W x 3 uint8 RGB -> 1 x 3 x S x S float32 on the model's device.

        Pillow's bilinear filter (which antialiases when it shrinks), then normalisation, then zeros at the bottom and
        right: in this order, so the padding is a mean-coloured area. Other resizers change the masks measurably.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"Expected an H x W x 3 uint8 RGB image, got {image.dtype} {image.shape}.")
        frame = self.frame((image.shape[0], image.shape[1]))
        height, width = frame.input_size
        resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(resized)).to(self.device).permute(2, 0, 1)
        normal = (pixels.to(torch.float32) - self.pixel_mean) / self.pixel_std
        return F.pad(normal, (0, frame.padded_size[1] - width, 0, frame.padded_size[0] - height))[None]

    def encode(self, pixels: Tensor) -> dict[str, Tensor]:
        """B x 3 x S x S from `preprocess` -> {"image_embeddings": B x C x S/16 x S/16}."""
        return {EMBEDDING: self.image_encoder(pixels)}

    def decode_all(
        self,
        features: Mapping[str, Tensor],
        frame: Frame,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes: Tensor | None = None,
        mask_input: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """As `decode`, but every output: logits B x 4 x h x w and predicted IoU B x 4, single-mask token first."""
        sparse, dense = self.prompt_encoder(points, labels, boxes, mask_input)
        result: tuple[Tensor, Tensor] = self.mask_decoder(
            features[EMBEDDING], self.prompt_encoder.dense_pe(), sparse, dense
        )
        return result

    def decode(
        self,
        features: Mapping[str, Tensor],
        frame: Frame,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes: Tensor | None = None,
        mask_input: Tensor | None = None,
        multimask: bool = True,
    ) -> tuple[Tensor, Tensor]:
        """Masks for B sets of prompts on one picture.

        features: from `encode`, of batch 1 (or B). frame: unused here, other models need it. points B x N x 2 and
        boxes B x 4 in input-frame pixels (x, y); labels B x N (1 object, 0 background, -1 padding); mask_input
        B x 1 x h x w logits. Returns logits B x 3 x h x w and predicted IoU B x 3 when `multimask`, else B x 1.
        """
        logits, ious = self.decode_all(features, frame, points, labels, boxes, mask_input)
        chosen = slice(1, None) if multimask else slice(0, 1)
        return logits[:, chosen], ious[:, chosen]

    def answer_clicks(self, features: Mapping[str, Tensor], frame: Frame, least_iou: float) -> Answers:
        """What answers lone clicks on one picture: see PromptableModel. Prepared where that is quicker."""
        if self.device.type != "cpu":
            return answers_by_decoding(self, features, frame)
        return PreparedClicks(self.prompt_encoder, self.mask_decoder, features[EMBEDDING], frame, least_iou)


def build_sam(config: Mapping[str, Any]) -> Sam:
    """A SAM with the sizes in `config` and fresh weights, in evaluation mode.

    config: {"image_encoder": arguments of ImageEncoderViT, or of TinyViT with {"architecture": "tiny_vit"},
    "prompt_encoder": of PromptEncoder, "mask_decoder": of MaskDecoder with {"transformer": arguments of
    TwoWayTransformer}, "pixel_mean", "pixel_std": 3 numbers each for 0..255 RGB, "mask_threshold": logit}; JSON-able.
    A wrong or missing argument raises TypeError or KeyError.
    """
    encoder = dict(config["image_encoder"])
    architecture = ENCODERS[encoder.pop("architecture", "vit")]
    decoder = dict(config["mask_decoder"])
    decoder["transformer"] = TwoWayTransformer(**decoder["transformer"])
    model = Sam(
        architecture(**encoder),
        PromptEncoder(**config["prompt_encoder"]),
        MaskDecoder(**decoder),
        config,
    )
    return model.eval()


def vit_config(embed_dim: int, depth: int, num_heads: int, global_attn_indexes: Sequence[int]) -> dict[str, Any]:
    """SAM's image encoder: what the three sizes share, around what differs."""
    return {
        "img_size": 1024,
        "patch_size": 16,
        "in_chans": 3,
        "embed_dim": embed_dim,
        "depth": depth,
        "num_heads": num_heads,
        "mlp_ratio": 4,
        "out_chans": 256,
        "qkv_bias": True,
        "layer_norm_eps": 1e-6,
        "use_abs_pos": True,
        "use_rel_pos": True,
        "window_size": 14,
        "global_attn_indexes": list(global_attn_indexes),
    }


def tiny_vit_config() -> dict[str, Any]:
    """MobileSAM's image encoder, TinyViT-5M."""
    return {
        "architecture": "tiny_vit",
        "img_size": 1024,
        "in_chans": 3,
        "num_classes": 1000,
        "embed_dims": [64, 128, 160, 320],
        "depths": [2, 2, 6, 2],
        "num_heads": [2, 4, 5, 10],
        "window_sizes": [7, 7, 14, 7],
        "mlp_ratio": 4,
        "mbconv_expand_ratio": 4,
        "out_chans": 256,
    }


def sam_config(variant: str, image_encoder: Mapping[str, Any]) -> dict[str, Any]:
    """Everything the published variants share, around their image encoders."""
    return {
        "variant": variant,
        "image_encoder": dict(image_encoder),
        "prompt_encoder": {
            "embed_dim": 256,
            "image_embedding_size": [64, 64],
            "input_image_size": [1024, 1024],
            "mask_in_chans": 16,
        },
        "mask_decoder": {
            "num_multimask_outputs": 3,
            "transformer": {
                "depth": 2,
                "embedding_dim": 256,
                "mlp_dim": 2048,
                "num_heads": 8,
                "attention_downsample_rate": 2,
            },
            "transformer_dim": 256,
            "iou_head_depth": 3,
            "iou_head_hidden_dim": 256,
        },
        "pixel_mean": [123.675, 116.28, 103.53],
        "pixel_std": [58.395, 57.12, 57.375],
        "mask_threshold": 0.0,
    }


def sam_vit_b(**overrides: Any) -> Sam:
    """SAM with ViT-B: 93.7 million parameters, layout of sam_vit_b_01ec64.pth. overrides: config sections."""
    return build_sam({**sam_config("sam_vit_b", vit_config(768, 12, 12, (2, 5, 8, 11))), **overrides})


def sam_vit_l(**overrides: Any) -> Sam:
    """SAM with ViT-L: 312 million parameters, layout of sam_vit_l_0b3195.pth. overrides: config sections."""
    return build_sam({**sam_config("sam_vit_l", vit_config(1024, 24, 16, (5, 11, 17, 23))), **overrides})


def sam_vit_h(**overrides: Any) -> Sam:
    """SAM with ViT-H: 641 million parameters, layout of sam_vit_h_4b8939.pth. overrides: config sections."""
    return build_sam({**sam_config("sam_vit_h", vit_config(1280, 32, 16, (7, 15, 23, 31))), **overrides})


def mobile_sam(**overrides: Any) -> Sam:
    """MobileSAM: TinyViT-5M, 10.1 million parameters, layout of mobile_sam.pt. overrides: config sections."""
    return build_sam({**sam_config("mobile_sam", tiny_vit_config()), **overrides})
