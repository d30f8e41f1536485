import { Eye, EyeOff, Lock, LockOpen, RotateCcw, Shapes, X } from "lucide-react";
import { memo, useEffect, useRef } from "react";
import type { EditorSession } from "../../actions/editorSession";
import type { MaskItem } from "../../core/maskStore";
import type { Rgb } from "../../core/palette";
import type { Picture } from "../../render/picture";
import { paintThumbnail } from "../../render/thumbnail";
import { count, percent } from "../kit/format";
import { Badge, Button, EmptyState, IconButton } from "../kit/kit";
import { SaveStatus } from "../SaveStatus";
import { MaskDetail } from "./MaskDetail";
import { ReviewPanel } from "./ReviewPanel";
import { useEditor } from "./useEditor";
import { useWindow } from "./useWindow";

interface MaskListProps {
  session: EditorSession;
  image: Picture | null;
  open: boolean;
  onClose: () => void;
  onHistory: () => void;
}

/** CSS pixels of one row; the styles say the same. */
const ROW = 54;

export function MaskList({ session, image, open, onClose, onHistory }: MaskListProps) {
  const current = useEditor(session, (state) => state.layout.listed());
  const selectedId = useEditor(session, (state) => state.selectedId);
  const selected = current.find((item) => item.id === selectedId);
  return (
    <aside className={open ? "editor__side editor__side--open" : "editor__side"} aria-label="Masks">
      <div className="side__head">
        <h2>
          Masks <span className="muted">{current.length}</span>
        </h2>
        <span className="side-toggle">
          <IconButton icon={X} size="small" look="quiet" label="Close the list" onClick={onClose} />
        </span>
      </div>
      <ProposalBar session={session} />
      {session.review && <ReviewPanel session={session} review={session.review} />}
      <Rows session={session} image={image} current={current} />
      {selected && <MaskDetail session={session} item={selected} onHistory={onHistory} />}
      <div className="side__foot">
        <SaveStatus />
      </div>
    </aside>
  );
}

/** What the model has put on the image beforehand, and the two things to do with all of it. */
function ProposalBar({ session }: { session: EditorSession }) {
  const current = useEditor(session, (state) => state.layout.listed());
  const locked = useEditor(session, (state) => state.layout.locked);
  const editable = useEditor(session, (state) => state.editable);
  const proposed = current.filter((item) => item.status === "proposed");
  if (proposed.length === 0) return null;
  const ids = proposed.map((item) => item.id);
  const shut = proposed.filter((item) => locked.has(item.id)).map((item) => item.id);
  return (
    <div className="side__proposals" role="status">
      <span>{proposed.length === 1 ? "1 mask" : `${proposed.length} masks`} proposed by the model</span>
      <span className="row">
        <Button size="small" disabled={!editable} onClick={() => session.masks.keep(ids)}>
          Keep all
        </Button>
        <Button size="small" disabled={!editable} onClick={() => session.masks.dismiss(ids)}>
          Discard all
        </Button>
        {shut.length > 0 && (
          <IconButton
            icon={LockOpen}
            size="small"
            look="quiet"
            label="Unlock all"
            onClick={() => session.masks.setLocked(shut, false)}
          />
        )}
      </span>
    </div>
  );
}

function Rows({
  session,
  image,
  current,
}: Pick<MaskListProps, "session" | "image"> & { current: readonly MaskItem[] }) {
  const masks = useEditor(session, (state) => state.store.current.masks);
  const hidden = useEditor(session, (state) => state.layout.hidden);
  const locked = useEditor(session, (state) => state.layout.locked);
  const selectedId = useEditor(session, (state) => state.selectedId);
  const also = useEditor(session, (state) => state.alsoSelected);
  const uppermostFirst = current.toReversed();
  const place = uppermostFirst.findIndex((item) => item.id === selectedId);
  const { scroller, first, end } = useWindow(current.length, ROW, place);
  const deleted = [...masks.values()].filter((item) => item.status === "deleted");
  return (
    <div className="side__list" ref={scroller}>
      {current.length === 0 && (
        <EmptyState icon={Shapes} title="No masks yet">
          Click an object in the picture, choose among the candidates, press Enter.
        </EmptyState>
      )}
      <ul style={{ paddingTop: first * ROW, paddingBottom: (current.length - end) * ROW }}>
        {uppermostFirst.slice(first, end).map((item, at) => (
          <MaskRow
            key={item.id}
            session={session}
            image={image}
            item={item}
            colour={session.layout.colourOf(item.id)}
            place={first + at + 1}
            count={current.length}
            number={current.length - first - at}
            hidden={hidden.has(item.id)}
            locked={locked.has(item.id)}
            selected={item.id === selectedId || also.has(item.id)}
          />
        ))}
      </ul>
      {deleted.length > 0 && <Bin session={session} image={image} deleted={deleted} />}
    </div>
  );
}

interface MaskRowProps {
  session: EditorSession;
  image: Picture | null;
  item: MaskItem;
  colour: Rgb;
  /** From the top of the list, from 1, of `count`. */
  place: number;
  count: number;
  /** What it is called without a category. */
  number: number;
  hidden: boolean;
  locked: boolean;
  selected: boolean;
}

const MaskRow = memo(function MaskRow(props: MaskRowProps) {
  const { session, image, item, colour, hidden, locked, selected } = props;
  const name = item.category || `Mask ${props.number}`;
  const classes = ["mask-row", selected && "mask-row--selected", hidden && "mask-row--hidden"]
    .filter(Boolean)
    .join(" ");
  return (
    <li className={classes} aria-setsize={props.count} aria-posinset={props.place}>
      <MaskThumbnail session={session} image={image} item={item} colour={colour} />
      <button
        type="button"
        className="mask-row__main"
        aria-pressed={selected}
        onClick={(event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) session.alsoSelect(item.id);
          else session.select(selected ? null : item.id);
        }}
        onDoubleClick={() => session.showMask(item.id)}
      >
        <b>{name}</b>
        <span>
          {item.status === "proposed" ? <Badge tone="info">proposed</Badge> : `${count(item.area)} px`}
          {item.predictedIou !== null && ` · ${percent(item.predictedIou)}`}
        </span>
      </button>
      <span className="mask-row__switches">
        <IconButton
          icon={locked ? Lock : LockOpen}
          size="small"
          look="quiet"
          className={locked ? "" : "mask-row__seldom"}
          label={locked ? `Unlock ${name}` : `Lock ${name}`}
          aria-pressed={locked}
          onClick={() => session.masks.setLocked([item.id], !locked)}
        />
        <IconButton
          icon={hidden ? EyeOff : Eye}
          size="small"
          look="quiet"
          label={hidden ? `Show ${name}` : `Hide ${name}`}
          aria-pressed={hidden}
          onClick={() => session.toggleHidden(item.id)}
        />
      </span>
    </li>
  );
});

interface BinProps extends Pick<MaskListProps, "session" | "image"> {
  deleted: readonly MaskItem[];
}

/** Newest first; a bin of hundreds shows the ones that somebody may still want back. */
const BIN_SHOWN = 50;

function Bin({ session, image, deleted }: BinProps) {
  return (
    <details>
      <summary className="small side__deleted">Deleted ({deleted.length})</summary>
      <ul>
        {deleted
          .toReversed()
          .slice(0, BIN_SHOWN)
          .map((item) => (
            <li key={item.id} className="mask-row mask-row--hidden">
              <MaskThumbnail session={session} image={image} item={item} colour={session.layout.colourOf(item.id)} />
              <span className="small">{item.category || `${count(item.area)} px`}</span>
              <IconButton
                icon={RotateCcw}
                size="small"
                look="quiet"
                label="Restore this mask"
                onClick={() => session.masks.restore(item.id)}
              />
            </li>
          ))}
      </ul>
    </details>
  );
}

function MaskThumbnail({ session, image, item, colour }: Pick<MaskRowProps, "session" | "image" | "item" | "colour">) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (canvas.current) paintThumbnail(canvas.current, image, [[item.patch, colour]], session.size);
  }, [image, item.patch, colour, session]);
  return <canvas ref={canvas} width={96} height={80} aria-hidden />;
}
