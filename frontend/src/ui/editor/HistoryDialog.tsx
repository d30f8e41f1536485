import { useQuery } from "@tanstack/react-query";
import { RotateCcw } from "lucide-react";
import { useState } from "react";
import type { EditorSession } from "../../actions/editorSession";
import { itemFromRecord } from "../../actions/records";
import { api } from "../../api/endpoints";
import type { MaskRecord } from "../../api/types";
import type { MaskItem } from "../../core/maskStore";
import type { Picture } from "../../render/picture";
import { count, percent } from "../kit/format";
import { Badge, Button, Dialog, ErrorState, Loading } from "../kit/kit";
import { MaskPicture, overlapOf } from "../MaskPicture";
import { SOURCES } from "./MaskDetail";
import { useEditor } from "./useEditor";

interface HistoryProps {
  session: EditorSession;
  image: Picture | null;
  item: MaskItem;
  onClose: () => void;
}

interface Version {
  readonly record: MaskRecord;
  readonly item: MaskItem;
}

/** Every version of a mask, from the model's proposal to now, one of them beside what it is now. */
export function HistoryDialog({ session, image, item, onClose }: HistoryProps) {
  const name = session.serverId(item.id);
  const history = useQuery({
    queryKey: ["mask-history", name],
    queryFn: async (): Promise<Version[]> => {
      const records = await api.maskHistory(name);
      return records.map((record) => ({ record, item: itemFromRecord(record) }));
    },
    gcTime: 0,
  });
  return (
    <Dialog title={`History of ${item.category || "this mask"}`} wide onClose={onClose}>
      {history.isPending && <Loading label="Loading the versions" />}
      {history.isLoadingError && <ErrorState error={history.error} retry={() => void history.refetch()} />}
      {history.data && (
        <Versions session={session} image={image} item={item} versions={history.data} onClose={onClose} />
      )}
    </Dialog>
  );
}

function Versions({ session, image, item, versions, onClose }: HistoryProps & { versions: readonly Version[] }) {
  const editable = useEditor(session, (state) => state.editable && !state.layout.locked.has(item.id));
  const others = versions.filter((version) => version.record.id !== session.serverId(item.id));
  const [chosen, setChosen] = useState(() => others.at(-1)?.record.id ?? null);
  const before = others.find((version) => version.record.id === chosen)?.item ?? null;
  if (!before) {
    return (
      <>
        <MaskPicture image={image} item={item} against={null} label="This mask" />
        <p className="muted">This is its only version so far.</p>
      </>
    );
  }
  return (
    <div className="stack">
      <div className="compare">
        <figure>
          <MaskPicture image={image} item={before} against={item} label="The older version" />
          <figcaption>Before · {count(before.area)} px</figcaption>
        </figure>
        <figure>
          <MaskPicture image={image} item={item} against={before} label="The mask as it is now" />
          <figcaption>Now · {count(item.area)} px</figcaption>
        </figure>
      </div>
      <p className="muted small">
        Both have {percent(overlapOf(before, item))} of their pixels in common (IoU). Orange is what only that side has.
      </p>
      <ol className="versions">
        {others.toReversed().map(({ record, item: old }) => (
          <li key={record.id}>
            <button
              type="button"
              className="versions__pick"
              aria-pressed={record.id === chosen}
              onClick={() => setChosen(record.id)}
            >
              <b>{new Date(record.created_at).toLocaleString()}</b>
              <span className="muted small">
                {record.created_by ?? "the model"}, {SOURCES[old.source]}
                {old.category && `, “${old.category}”`}
              </span>
              {record.status === "deleted" && <Badge tone="warn">deleted</Badge>}
            </button>
            <Button
              size="small"
              icon={RotateCcw}
              disabled={!editable}
              onClick={() => {
                session.masks.restoreVersion(item.id, old);
                onClose();
              }}
            >
              Restore
            </Button>
          </li>
        ))}
      </ol>
    </div>
  );
}
