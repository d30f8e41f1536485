import { Eye, EyeOff, Focus, PencilLine, RotateCcw, Shapes, Trash2, X } from "lucide-react";
import { memo, useEffect, useRef, useState } from "react";
import type { EditorSession } from "../../actions/editorSession";
import type { MaskItem } from "../../core/maskStore";
import { colourOf } from "../../core/palette";
import { paintThumbnail } from "../../render/thumbnail";
import { count, percent } from "../kit/format";
import { Button, EmptyState, IconButton } from "../kit/kit";
import { SaveStatus } from "../SaveStatus";
import { useEditor } from "./useEditor";

interface MaskListProps {
  session: EditorSession;
  image: HTMLImageElement | null;
  open: boolean;
  onClose: () => void;
}

export function MaskList({ session, image, open, onClose }: MaskListProps) {
  const document = useEditor(session, (state) => state.store.current);
  const hidden = useEditor(session, (state) => state.hidden);
  const selectedId = useEditor(session, (state) => state.selectedId);
  const masks = [...document.masks.values()];
  const current = masks.filter((item) => item.status === "accepted" || item.status === "proposed");
  const deleted = masks.filter((item) => item.status === "deleted");
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
      <div className="side__list">
        {current.length === 0 && (
          <EmptyState icon={Shapes} title="No masks yet">
            Click an object in the picture, choose among the candidates, press Enter.
          </EmptyState>
        )}
        <ul>
          {current.toReversed().map((item) => (
            <MaskRow
              key={item.id}
              session={session}
              image={image}
              item={item}
              place={current.indexOf(item) + 1}
              hidden={hidden.has(item.id)}
              selected={item.id === selectedId}
            />
          ))}
        </ul>
        {deleted.length > 0 && (
          <details>
            <summary className="small side__deleted">Deleted ({deleted.length})</summary>
            <ul>
              {deleted.map((item) => (
                <li key={item.id} className="mask-row mask-row--hidden">
                  <MaskThumbnail session={session} image={image} item={item} />
                  <span className="small">{item.category || `${count(item.area)} px`}</span>
                  <IconButton
                    icon={RotateCcw}
                    size="small"
                    look="quiet"
                    label="Restore this mask"
                    onClick={() => session.restoreMask(item.id)}
                  />
                </li>
              ))}
            </ul>
          </details>
        )}
      </div>
      {selected && <Detail key={selected.id} session={session} item={selected} />}
      <div className="side__foot">
        <SaveStatus />
      </div>
    </aside>
  );
}

interface MaskRowProps {
  session: EditorSession;
  image: HTMLImageElement | null;
  item: MaskItem;
  place: number;
  hidden: boolean;
  selected: boolean;
}

const MaskRow = memo(function MaskRow({ session, image, item, place, hidden, selected }: MaskRowProps) {
  const name = item.category || `Mask ${place}`;
  const classes = ["mask-row", selected && "mask-row--selected", hidden && "mask-row--hidden"]
    .filter(Boolean)
    .join(" ");
  return (
    <li className={classes}>
      <MaskThumbnail session={session} image={image} item={item} />
      <button
        type="button"
        className="mask-row__main"
        aria-pressed={selected}
        onClick={() => session.select(selected ? null : item.id)}
        onDoubleClick={() => session.showMask(item.id)}
      >
        <b>{name}</b>
        <span>
          {count(item.area)} px{item.predictedIou === null ? "" : ` · ${percent(item.predictedIou)}`}
        </span>
      </button>
      <IconButton
        icon={hidden ? EyeOff : Eye}
        size="small"
        look="quiet"
        label={hidden ? `Show ${name}` : `Hide ${name}`}
        aria-pressed={hidden}
        onClick={() => session.toggleHidden(item.id)}
      />
    </li>
  );
});

function MaskThumbnail({ session, image, item }: Pick<MaskRowProps, "session" | "image" | "item">) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (canvas.current) paintThumbnail(canvas.current, image, item.patch, colourOf(item.id), session.size);
  }, [image, item.patch, item.id, session]);
  return <canvas ref={canvas} width={96} height={80} aria-hidden />;
}

const SOURCES: Record<MaskItem["source"], string> = {
  model: "by the model",
  model_edited: "by the model, edited",
  hand: "by hand",
  imported: "imported",
};

function Detail({ session, item }: { session: EditorSession; item: MaskItem }) {
  const editable = useEditor(session, (state) => state.editable);
  const [category, setCategory] = useState(item.category);
  const save = () => session.setCategory(item.id, category.trim());
  return (
    <section className="side__detail" aria-label="Selected mask">
      <label className="field">
        <span className="field__label">Category</span>
        <input
          className="input"
          placeholder="optional"
          maxLength={200}
          value={category}
          disabled={!editable}
          onChange={(event) => setCategory(event.target.value)}
          onBlur={save}
          onKeyDown={(event) => {
            if (event.key === "Enter") save();
          }}
        />
      </label>
      <p className="muted small">
        Made {SOURCES[item.source]}
        {item.createdBy && `, ${item.createdBy}`}
        {item.seconds > 0 && `, in ${item.seconds.toFixed(1)} s`}
      </p>
      <div className="row">
        <Button size="small" icon={Focus} onClick={() => session.showMask(item.id)}>
          Show
        </Button>
        <Button size="small" icon={PencilLine} disabled={!editable} onClick={() => session.correct(item.id)}>
          Correct
        </Button>
        <Button
          size="small"
          look="danger"
          icon={Trash2}
          disabled={!editable}
          onClick={() => session.deleteMask(item.id)}
        >
          Delete
        </Button>
      </div>
    </section>
  );
}
