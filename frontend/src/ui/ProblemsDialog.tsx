import { useEffect, useRef, useState } from "react";
import { Link, useLocation } from "react-router";
import { itemFromBody, itemFromRecord } from "../actions/records";
import type { MaskRecord } from "../api/types";
import type { JournalOp } from "../core/journal";
import type { MaskItem } from "../core/maskStore";
import { colourOf } from "../core/palette";
import { uuidFrom } from "../core/uuid";
import { paintThumbnail } from "../render/thumbnail";
import { Button, Dialog, Note } from "./kit/kit";
import { useJournalStatus, useWorkbench } from "./workbench";

/** Operations that the server refused for good: the person decides, nothing disappears by itself. */
export function ProblemsDialog({ onClose }: { onClose: () => void }) {
  const { problems } = useJournalStatus();
  const { pathname } = useLocation();
  const [decided, setDecided] = useState<number[]>([]);
  const close = () => {
    onClose();
    // An open editor still shows what was decided against; everything of value is on disk, so it may start afresh.
    if (decided.some((imageId) => pathname === `/images/${imageId}`)) window.location.reload();
  };
  return (
    <Dialog title="These need your decision" onClose={close}>
      {problems.length === 0 && <Note tone="good">All settled.</Note>}
      <ul className="stack">
        {problems.map((op) => (
          <Problem key={op.seq} op={op} onDecided={() => setDecided((ids) => [...ids, op.imageId])} />
        ))}
      </ul>
      <div className="dialog__actions">
        <Button onClick={close}>Done</Button>
      </div>
    </Dialog>
  );
}

function Problem({ op, onDecided }: { op: JournalOp; onDecided: () => void }) {
  const { journal } = useWorkbench();
  const [mine] = useState(() => (op.body ? itemFromBody(op.maskId, op.body, "you") : null));
  const [theirs] = useState(() => (isMask(op.problem?.current) ? itemFromRecord(op.problem.current) : null));
  const conflict = op.problem?.kind === "conflict";
  const keepMine = async () => {
    const id = uuidFrom(crypto.getRandomValues(new Uint8Array(16)));
    // Mine corrects what is current now; where that was deleted, mine becomes a mask of its own.
    const body = { ...op.body, parent: theirs?.id ?? null };
    await journal.add({ imageId: op.imageId, maskId: id, kind: "put", body });
    await journal.discard(op.seq);
    onDecided();
  };
  const giveUp = async () => {
    await journal.discard(op.seq);
    onDecided();
  };
  return (
    <li className="card card--pad stack stack--small">
      <div>
        <b>{op.problem?.message}</b>
        <p className="muted small">
          <Link to={`/images/${op.imageId}`}>Open the image</Link>
        </p>
      </div>
      <div className="row">
        {mine && <Version label="Yours" item={mine} />}
        {theirs && <Version label={theirs.createdBy || "On the server"} item={theirs} />}
      </div>
      <div className="row">
        {conflict && op.kind === "put" && (
          <Button size="small" look="primary" onClick={() => void keepMine()}>
            Keep my version
          </Button>
        )}
        <Button size="small" onClick={() => void giveUp()}>
          {conflict ? "Keep the server's version" : "Give this change up"}
        </Button>
      </div>
    </li>
  );
}

function isMask(value: unknown): value is MaskRecord {
  return typeof value === "object" && value !== null && "segmentation" in value && "id" in value;
}

function Version({ label, item }: { label: string; item: MaskItem }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const [height, width] = item.segmentation.size;
    if (canvas.current) paintThumbnail(canvas.current, null, item.patch, colourOf(item.id), { width, height });
  }, [item]);
  return (
    <figure className="version">
      <canvas ref={canvas} width={200} height={150} role="img" aria-label={`Mask: ${label}`} />
      <figcaption className="small">
        {label}
        {item.category && `: ${item.category}`}
      </figcaption>
    </figure>
  );
}
