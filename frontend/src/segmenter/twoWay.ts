import type { Columns } from "./decoderWeights";
import type { TokenMaths } from "./tokenMaths";

/** The image's side of a two-way transformer. Names: of the attention's layers, or of the block that they are in. */
export interface TwoWayImage {
  /** What tokens, with the code of their places added, see of the image. */
  looked(level: number, name: string, placed: Columns): Columns;
  /** The image answers the tokens and is normalised. */
  answered(level: number, block: string, placed: Columns, tokens: Columns): void;
}

/** `TwoWayTransformer` of modelzoo/model/transformer.py -> the tokens after it; the image keeps its own side. */
export function twoWay(maths: TokenMaths, depth: number, tokens: Columns, image: TwoWayImage): Columns {
  let x = tokens;
  const placed = () => maths.sum(x, tokens);
  for (let level = 0; level < depth; level++) {
    const name = `transformer.layers.${level}`;
    x = level
      ? maths.sum(x, maths.attended(`${name}.self_attn`, placed(), x))
      : maths.attended(`${name}.self_attn`, x, x);
    x = maths.norm(`${name}.norm1`, x);
    const seen = image.looked(level, `${name}.cross_attn_token_to_image`, placed());
    x = maths.norm(`${name}.norm2`, maths.sum(x, seen));
    x = maths.norm(`${name}.norm3`, maths.sum(x, maths.mlp(`${name}.mlp`, x)));
    image.answered(level, name, placed(), x);
  }
  const seen = image.looked(depth, "transformer.final_attn_token_to_image", placed());
  return maths.norm("transformer.norm_final_attn", maths.sum(x, seen));
}
