import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Link } from "react-router";
import { itemFromBody, itemFromRecord } from "../actions/records";
import type { MaskRecord } from "../api/types";
import type { JournalOp } from "../core/journal";
import type { Picture } from "../render/picture";
import { pictureOf } from "./editor/pictures";
import { imageQuery } from "./editor/prefetch";
import { percent } from "./kit/format";
import { Button, Dialog, Note } from "./kit/kit";
import { MaskPicture, overlapOf } from "./MaskPicture";
import { useJournalStatus, useWorkbench } from "./workbench";

/** Operations that the server refused for good: the person decides, nothing disappears by itself. */
export function ProblemsDialog({ onClose }: { onClose: () => void }) {
  const { problems } = useJournalStatus();
  return (
    <Dialog title="These need your decision" wide onClose={onClose}>
      {problems.length === 0 && <Note tone="good">All settled.</Note>}
      <ul className="stack">
        {problems.map((op) => (
          <Problem key={op.seq} op={op} />
        ))}
      </ul>
      <div className="dialog__actions">
        <Button onClick={onClose}>Done</Button>
      </div>
    </Dialog>
  );
}

function Problem({ op }: { op: JournalOp }) {
  const { journal } = useWorkbench();
  const image = useImage(op.imageId);
  const [mine] = useState(() => (op.body ? itemFromBody(op.maskId, op.body, "you") : null));
  const [theirs] = useState(() => (isMask(op.problem?.current) ? itemFromRecord(op.problem.current) : null));
  const conflict = op.problem?.kind === "conflict";
  const versions = conflict && op.kind === "put";
  const orphan = op.problem?.code === "parent_missing" && op.kind === "put";
  // The server took nothing of it under this id: the same mask goes again, on top of theirs or beside it.
  const send = (parent: string | null) => void journal.resend(op.seq, { body: { ...op.body, parent } });
  return (
    <li className="card card--pad stack stack--small">
      <div>
        <b>{op.problem?.message}</b>
        <p className="muted small">
          <Link to={`/images/${op.imageId}`}>Open the image</Link>
        </p>
      </div>
      <div className="compare">
        {mine && (
          <figure>
            <MaskPicture image={image} item={mine} against={theirs} label="Your version" />
            <figcaption>
              <b>Yours</b>
              {mine.category && ` · ${mine.category}`}
            </figcaption>
          </figure>
        )}
        {theirs && (
          <figure>
            <MaskPicture image={image} item={theirs} against={mine} label={`The version of ${theirs.createdBy}`} />
            <figcaption>
              <b>{theirs.createdBy || "On the server"}</b>
              {theirs.category && ` · ${theirs.category}`}
            </figcaption>
          </figure>
        )}
      </div>
      {mine && theirs && (
        <p className="muted small">
          {percent(overlapOf(mine, theirs))} in common (IoU). Orange is what only that version has.
        </p>
      )}
      <div className="row">
        {versions && (
          <Button size="small" look="primary" onClick={() => send(theirs?.id ?? null)}>
            Keep mine
          </Button>
        )}
        {orphan && (
          <Button size="small" look="primary" onClick={() => send(null)}>
            Save it as a new mask
          </Button>
        )}
        {conflict && op.kind === "delete" && theirs && (
          <Button size="small" look="danger" onClick={() => void journal.resend(op.seq, { maskId: theirs.id })}>
            Delete it all the same
          </Button>
        )}
        <Button size="small" onClick={() => void journal.discard(op.seq)}>
          {!conflict ? "Give this change up" : theirs ? "Keep theirs" : "Leave it as it is there"}
        </Button>
        {versions && theirs && (
          <Button size="small" onClick={() => send(null)}>
            Keep both
          </Button>
        )}
      </div>
    </li>
  );
}

/** The picture behind the masks; without it the shapes are compared alone. */
function useImage(id: number): Picture | null {
  const record = useQuery(imageQuery(id));
  const found = record.data;
  const [image, setImage] = useState<Picture | null>(null);
  useEffect(() => {
    let wanted = true;
    if (found)
      void pictureOf(found).then(
        (loaded) => wanted && setImage(loaded),
        () => undefined,
      );
    return () => {
      wanted = false;
    };
  }, [found]);
  return image;
}

function isMask(value: unknown): value is MaskRecord {
  return typeof value === "object" && value !== null && "segmentation" in value && "id" in value;
}
