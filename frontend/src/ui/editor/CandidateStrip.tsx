import { Check, X } from "lucide-react";
import { useEffect, useMemo, useRef } from "react";
import type { EditorSession } from "../../actions/editorSession";
import { type Box, boxUnion, type Size } from "../../core/geometry";
import { DRAFT_COLOUR } from "../../core/palette";
import { type Patch, patchBox } from "../../core/patch";
import type { Picture } from "../../render/picture";
import { paintThumbnail } from "../../render/thumbnail";
import type { Candidate } from "../../segmenter/segmenter";
import { percent } from "../kit/format";
import { Button, IconButton } from "../kit/kit";
import { useEditor } from "./useEditor";

/** The masks offered for the prompts, each with the model's own estimate of its IoU. */
export function CandidateStrip({ session, image }: { session: EditorSession; image: Picture | null }) {
  const candidates = useEditor(session, (state) => state.drafting.candidates);
  const chosen = useEditor(session, (state) => state.drafting.chosen);
  const edited = useEditor(session, (state) => state.store.draft.edited);
  const empty = useEditor(session, (state) => state.drafting.empty);
  const busy = useEditor(session, (state) => state.drafting.busy);
  const waiting = useEditor(session, (state) => state.readiness.state !== "ready");
  // The same box for the same candidates: a new one would have every thumbnail painted again.
  const around = useMemo(() => boxAround(candidates), [candidates]);
  if (empty) return null;
  return (
    <fieldset className="strip" aria-label="Mask in the making" aria-busy={busy}>
      {!edited && candidates.length > 0 && (
        <div className="row strip__candidates" role="radiogroup" aria-label="Candidates">
          {candidates.map((one, index) => (
            // biome-ignore lint/a11y/useSemanticElements: a picture that acts as a radio button
            <button
              key={one.token}
              type="button"
              role="radio"
              className="candidate"
              aria-checked={one === chosen}
              aria-label={`Candidate ${index + 1}, predicted IoU ${percent(one.predictedIou)}`}
              onClick={() => session.drafting.choose(index)}
            >
              <Thumbnail image={image} patch={one.patch} around={around} size={session.size} />
              <span>
                <kbd>{index + 1}</kbd>
                {percent(one.predictedIou)}
              </span>
            </button>
          ))}
        </div>
      )}
      {edited && <span className="status strip__text">Painted mask</span>}
      {!edited && candidates.length === 0 && (
        <span className="status strip__text" role="status">
          {waiting ? "Waiting for the model" : busy ? "Looking" : "No mask for these prompts"}
        </span>
      )}
      <div className="strip__actions">
        <Button look="primary" size="small" icon={Check} onClick={() => session.accept()}>
          Accept
        </Button>
        <IconButton icon={X} size="small" label="Cancel" stroke="Esc" onClick={() => session.cancel()} />
      </div>
    </fieldset>
  );
}

function boxAround(candidates: readonly Candidate[]): Box | undefined {
  return candidates
    .filter((one) => one.patch.width > 0)
    .map((one) => patchBox(one.patch))
    .reduce<Box | undefined>((all, box) => (all ? boxUnion(all, box) : box), undefined);
}

interface ThumbnailProps {
  image: Picture | null;
  patch: Patch;
  around?: Box;
  size: Size;
}

function Thumbnail({ image, patch, around, size }: ThumbnailProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (canvas.current) paintThumbnail(canvas.current, image, [[patch, DRAFT_COLOUR]], size, around);
  }, [image, patch, around, size]);
  return <canvas ref={canvas} width={168} height={124} aria-hidden />;
}
