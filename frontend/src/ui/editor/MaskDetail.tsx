import { useQuery } from "@tanstack/react-query";
import {
  ArrowDown,
  ArrowUp,
  Check,
  Copy,
  Focus,
  History,
  Lock,
  LockOpen,
  type LucideIcon,
  PencilLine,
  ScanSearch,
  Sparkles,
  Trash2,
  Waypoints,
} from "lucide-react";
import { useId, useState } from "react";
import type { EditorSession } from "../../actions/editorSession";
import { findAlike } from "../../actions/toolCommands";
import type { VideoDesk } from "../../actions/videoDesk";
import { api } from "../../api/endpoints";
import type { MaskItem } from "../../core/maskStore";
import { Button, IconButton } from "../kit/kit";
import { useEditor } from "./useEditor";
import { useDesk } from "./useVideoDesk";

export const SOURCES: Record<MaskItem["source"], string> = {
  model: "by the model",
  model_edited: "by the model, edited",
  hand: "by hand",
  imported: "imported",
};

interface DetailProps {
  session: EditorSession;
  item: MaskItem;
  onHistory: () => void;
}

/** The selected mask: its name, where it came from, and what can be done with it. */
export function MaskDetail({ session, item, onHistory }: DetailProps) {
  const editable = useEditor(session, (state) => state.editable);
  const locked = useEditor(session, (state) => state.layout.locked.has(item.id));
  const { masks } = session;
  const free = editable && !locked;
  return (
    <section className="side__detail" aria-label="Selected mask">
      <Category key={item.id} session={session} item={item} disabled={!free} />
      <p className="muted small">
        {item.status === "proposed" ? "Proposed" : "Made"} {SOURCES[item.source]}
        {item.createdBy && `, ${item.createdBy}`}
        {item.track !== null && session.options.video && <InTrack desk={session.options.video} track={item.track} />}
        {item.seconds > 0 && `, in ${item.seconds.toFixed(1)} s`}
      </p>
      <div className="side__tools">
        <Tool icon={Focus} label="Show in the middle" run={() => session.showMask(item.id)} />
        <Tool
          icon={locked ? Lock : LockOpen}
          label={locked ? "Unlock" : "Lock"}
          stroke="Shift+L"
          run={() => masks.setLocked([item.id], !locked)}
        />
        <Tool icon={ArrowUp} label="Move up" stroke="Ctrl+↑" run={() => masks.move(item.id, 1)} />
        <Tool icon={ArrowDown} label="Move down" stroke="Ctrl+↓" run={() => masks.move(item.id, -1)} />
        <Tool icon={Copy} label="Duplicate" stroke="Ctrl+D" off={!editable} run={() => masks.duplicate(item.id)} />
        <Tool icon={History} label="History and comparison" stroke="Shift+H" run={onHistory} />
        <Tool icon={Sparkles} label="Everything like this" stroke="J" off={!editable} run={() => findAlike(session)} />
        <Tool icon={ScanSearch} label="Find more like this (new tab)" run={() => showAlike(session, item)} />
        <Tool icon={Waypoints} label="Where it comes from (new tab)" run={() => showProvenance(session, item)} />
      </div>
      <div className="row">
        {item.status === "proposed" && (
          <Button size="small" look="primary" icon={Check} disabled={!editable} onClick={() => masks.keep([item.id])}>
            Keep
          </Button>
        )}
        <Button size="small" icon={PencilLine} disabled={!free} onClick={() => session.correct(item.id)}>
          Correct
        </Button>
        <Button size="small" look="danger" icon={Trash2} disabled={!free} onClick={() => masks.delete(item.id)}>
          Delete
        </Button>
      </div>
    </section>
  );
}

function InTrack({ desk, track }: { desk: VideoDesk; track: string }) {
  const name = useDesk(desk, ({ tracks }) => tracks.nameOf(track));
  return <>{`, in ${name}`}</>;
}

/** In a tab of its own: the work on the picture goes on. */
function showProvenance(session: EditorSession, item: MaskItem): void {
  window.open(`/datasets/${session.options.image.dataset}/masks/${session.serverId(item.id)}`, "_blank", "noopener");
}

/** Masks of the whole dataset that look like this one to the model. */
function showAlike(session: EditorSession, item: MaskItem): void {
  const page = `/datasets/${session.options.image.dataset}/objects/alike`;
  window.open(`${page}?like=${session.serverId(item.id)}`, "_blank", "noopener");
}

interface ToolProps {
  icon: LucideIcon;
  label: string;
  stroke?: string;
  off?: boolean;
  run: () => void;
}

function Tool({ icon, label, stroke, off, run }: ToolProps) {
  return <IconButton icon={icon} size="small" label={label} stroke={stroke} disabled={off} onClick={run} />;
}

/** Free text, with the names in use to choose from: typing searches among them. */
function Category({ session, item, disabled }: Pick<DetailProps, "session" | "item"> & { disabled: boolean }) {
  const [category, setCategory] = useState(item.category);
  const list = useId();
  const dataset = session.options.image.dataset;
  const names = useQuery({
    queryKey: ["categories", dataset],
    queryFn: () => api.categories(dataset),
    staleTime: 30_000,
  });
  const here = useEditor(session, (state) => state.layout.listed());
  const known = new Set([...(names.data ?? []).map((one) => one.name), ...here.map((one) => one.category)]);
  known.delete("");
  const save = () => session.masks.setCategory(item.id, category.trim());
  return (
    <label className="field">
      <span className="field__label">Category</span>
      <input
        className="input"
        placeholder={known.size > 0 ? "optional: type to search" : "optional"}
        maxLength={200}
        list={list}
        value={category}
        disabled={disabled}
        onChange={(event) => setCategory(event.target.value)}
        onBlur={save}
        onKeyDown={(event) => {
          if (event.key === "Enter") save();
        }}
      />
      <datalist id={list}>
        {[...known].map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </label>
  );
}
