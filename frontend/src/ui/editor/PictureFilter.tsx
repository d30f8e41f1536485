import { channelMatrix, isPlain, type PictureLook, transferTable } from "../../core/viewSettings";

export const FILTER_ID = "picture-look";

/** The look of the picture as an SVG filter: the browser applies it while it composes the page, at any zoom. */
export function PictureFilter({ look }: { look: PictureLook }) {
  if (isPlain(look)) return null;
  const matrix = channelMatrix(look.channel);
  const table = transferTable(look).join(" ");
  return (
    <svg className="sr-only" aria-hidden="true" focusable="false">
      <filter id={FILTER_ID} colorInterpolationFilters="sRGB" x="0" y="0" width="100%" height="100%">
        {matrix && <feColorMatrix type="matrix" values={matrix.join(" ")} />}
        <feComponentTransfer>
          <feFuncR type="table" tableValues={table} />
          <feFuncG type="table" tableValues={table} />
          <feFuncB type="table" tableValues={table} />
        </feComponentTransfer>
      </filter>
    </svg>
  );
}
