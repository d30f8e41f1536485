"""The decoder's shortcuts for a CPU give what the plain form gives, in whatever sizes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modelzoo.model.mask_decoder import MaskDecoder
from modelzoo.model.transformer import Attention, TwoWayTransformer


def attention(heads, rate, seed):
    torch.manual_seed(seed)
    return Attention(32, heads, rate).requires_grad_(False)


@given(st.sampled_from([1, 4, 8]), st.sampled_from([1, 2]), st.integers(1, 4), st.integers(1, 30), st.booleans())
@settings(max_examples=40, deadline=None)
def test_few_queries_and_few_keys_equal_the_plain_form(heads, rate, batch, tokens, shared):
    layer = attention(heads, rate, tokens)
    few = torch.randn(batch, tokens, 32)
    image, placed = torch.randn(2, 1 if shared else batch, 70, 32)
    assert torch.allclose(layer.few_queries(few, placed, image), layer(few, placed, image), atol=1e-5)
    assert torch.allclose(layer.few_keys(placed, few, few + 1), layer(placed, few, few + 1), atol=1e-5)


@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_drawing_masks_equals_upscaling_the_map_first(batch, height, width, seed):
    torch.manual_seed(seed)
    transformer = TwoWayTransformer(depth=1, embedding_dim=32, num_heads=4, mlp_dim=16)
    decoder = MaskDecoder(transformer=transformer, transformer_dim=32).requires_grad_(False)
    source, weights = torch.randn(batch, height * width, 32), torch.randn(batch, 4, 4)
    upscaled = decoder.output_upscaling(source.transpose(1, 2).reshape(batch, 32, height, width))
    expected = torch.einsum("btc,bchw->bthw", weights, upscaled)
    assert torch.allclose(decoder.draw(source, weights, (height, width)), expected, atol=1e-5)


def test_the_transformer_is_the_same_with_and_without_gradients():
    torch.manual_seed(0)
    transformer = TwoWayTransformer(
        depth=3, embedding_dim=48, num_heads=4, mlp_dim=64, attention_downsample_rate=3
    ).eval()
    image, position = torch.randn(2, 1, 48, 5, 11)
    tokens = torch.randn(3, 6, 48)
    plain = transformer(image, position, tokens)
    with torch.no_grad():
        folded = transformer(image, position, tokens)
    assert plain[0].shape == (3, 6, 48)
    assert plain[1].shape == (3, 55, 48)
    for one, other in zip(plain, folded, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_heads_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match="5 heads"):
        Attention(32, 5)
