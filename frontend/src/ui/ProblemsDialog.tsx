import { useEffect, useRef } from "react";
import { Link } from "react-router";
import { itemFromBody } from "../actions/records";
import type { JournalOp } from "../core/journal";
import { colourOf } from "../core/palette";
import { uuidFrom } from "../core/uuid";
import { paintThumbnail } from "../render/thumbnail";
import { Button, Dialog, Note } from "./kit/kit";
import { useJournalStatus, useWorkbench } from "./workbench";

/** Operations that the server refused for good: the person decides, nothing disappears by itself. */
export function ProblemsDialog({ onClose }: { onClose: () => void }) {
  const { problems } = useJournalStatus();
  return (
    <Dialog title="These need your decision" onClose={onClose}>
      {problems.length === 0 && <Note tone="good">All settled.</Note>}
      <ul className="stack">
        {problems.map((op) => (
          <Problem key={op.seq} op={op} />
        ))}
      </ul>
      <div className="dialog__actions">
        <Button onClick={onClose}>Close</Button>
      </div>
    </Dialog>
  );
}

function Problem({ op }: { op: JournalOp }) {
  const { journal } = useWorkbench();
  const current = typeof op.problem?.current === "string" ? op.problem.current : null;
  const conflict = op.problem?.kind === "conflict";
  const keepMine = async () => {
    const id = uuidFrom(crypto.getRandomValues(new Uint8Array(16)));
    // Mine corrects what is current now; where that was deleted, mine becomes a mask of its own.
    await journal.add({ imageId: op.imageId, maskId: id, kind: "put", body: { ...op.body, parent: current } });
    await journal.discard(op.seq);
  };
  return (
    <li className="card card--pad stack stack--small">
      <div className="row">
        {op.body && <OwnVersion op={op} />}
        <div className="grow">
          <b>{op.problem?.message}</b>
          <p className="muted small">
            <Link to={`/images/${op.imageId}`}>Open the image</Link> to see the version on the server.
          </p>
        </div>
      </div>
      <div className="row">
        {conflict && op.kind === "put" && (
          <Button size="small" look="primary" onClick={() => void keepMine()}>
            Keep my version
          </Button>
        )}
        <Button size="small" onClick={() => void journal.discard(op.seq)}>
          {conflict ? "Keep the server's version" : "Give this change up"}
        </Button>
      </div>
    </li>
  );
}

function OwnVersion({ op }: { op: JournalOp }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (!canvas.current || !op.body) return;
    const item = itemFromBody(op.maskId, op.body, "");
    const [height, width] = item.segmentation.size;
    paintThumbnail(canvas.current, null, item.patch, colourOf(op.maskId), { width, height });
  }, [op]);
  return <canvas ref={canvas} width={96} height={72} role="img" aria-label="Your version of the mask" />;
}
