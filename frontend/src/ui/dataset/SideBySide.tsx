import { useQuery } from "@tanstack/react-query";
import { Eraser } from "lucide-react";
import { type PointerEvent, useEffect, useRef, useState } from "react";
import { itemFromRecord } from "../../actions/records";
import { ApiError, messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { VersionComparison } from "../../api/types";
import type { MaskItem } from "../../core/maskStore";
import { type Patch, patchBox } from "../../core/patch";
import { decodePatch } from "../../core/rle";
import { short } from "../kit/format";
import { Button, ErrorState, Loading, Note } from "../kit/kit";
import { overlapOf } from "../MaskPicture";
import { paintSide } from "./paintSide";

export interface Prompt {
  points: readonly (readonly [number, number])[];
  labels: readonly number[];
  /** x0, y0, x1, y1 in image pixels. */
  box: readonly [number, number, number, number] | null;
}

const NOTHING: Prompt = { points: [], labels: [], box: null };
const DRAG = 6; // CSS pixels, from which a press is a box
const MOST_SIDE = 900; // pixels of a canvas

interface SideBySideProps {
  comparison: VersionComparison;
  imageId: number;
}

/** One image twice: a click or a box in either is given to both versions. */
export function SideBySide({ comparison, imageId }: SideBySideProps) {
  const [prompt, setPrompt] = useState<Prompt>(NOTHING);
  const image = useQuery({ queryKey: ["image", imageId], queryFn: () => api.image(imageId) });
  const masks = useQuery({ queryKey: ["mask-versions", imageId], queryFn: () => api.maskVersions(imageId) });
  const picture = usePicture(imageId);
  const first = useAnswer(imageId, comparison.first, prompt);
  const second = useAnswer(imageId, comparison.second, prompt);
  if (image.isLoadingError) return <ErrorState error={image.error} retry={() => void image.refetch()} />;
  if (masks.isLoadingError) return <ErrorState error={masks.error} retry={() => void masks.refetch()} />;
  if (!image.data || !masks.data) return <Loading label="Loading the image" />;
  const accepted = masks.data.filter((mask) => mask.status === "accepted").map(itemFromRecord);
  const size = { width: image.data.width, height: image.data.height };
  const sides = [
    { name: comparison.first_name, digest: comparison.first, answer: first },
    { name: comparison.second_name, digest: comparison.second, answer: second },
  ];
  const both = first.patch && second.patch ? overlapOf({ patch: first.patch }, { patch: second.patch }) : null;
  return (
    <section className="card card--pad stack" aria-label="Ask both versions">
      <div className="row row--between">
        <p className="small muted">
          Click: part of the object. Shift and click: not part of it. Drag: a box. Or take the box of a mask:
        </p>
        <div className="row">
          <select
            className="input input--small"
            aria-label="Give the box of an accepted mask"
            value=""
            onChange={(event) => {
              const mask = accepted.find((one) => one.id === event.target.value);
              if (mask) setPrompt({ ...NOTHING, box: boxOf(mask) });
            }}
          >
            <option value="">Box of a mask</option>
            {accepted.map((mask, at) => (
              <option key={mask.id} value={mask.id}>
                {mask.category || `mask ${at + 1}`}, {mask.area} px
              </option>
            ))}
          </select>
          <Button size="small" icon={Eraser} disabled={prompt === NOTHING} onClick={() => setPrompt(NOTHING)}>
            Clear
          </Button>
        </div>
      </div>
      <div className="sides">
        {sides.map(({ name, digest, answer }) => (
          <figure className="side" key={digest}>
            <figcaption className="row row--between small">
              <b>{name}</b>
              <span className="mono muted">{short(digest)}</span>
            </figcaption>
            <Canvas picture={picture} size={size} patch={answer.patch} prompt={prompt} onPrompt={setPrompt} />
            <p className="small" role="status">
              <Told answer={answer} accepted={accepted} />
            </p>
          </figure>
        ))}
      </div>
      {both !== null && <p className="small">The two answers agree with IoU {both.toFixed(3)}.</p>}
    </section>
  );
}

interface Answer {
  patch: Patch | null;
  predicted: number | null;
  pending: boolean;
  error: unknown;
}

/** What one version says to a prompt; asks again while its embedding is being made. */
function useAnswer(imageId: number, model: string, prompt: Prompt): Answer {
  const asked = prompt.points.length > 0 || prompt.box !== null;
  const single = prompt.points.length === 1 && prompt.box === null;
  const answer = useQuery({
    queryKey: ["side", imageId, model, prompt],
    queryFn: ({ signal }) => api.predict(imageId, { ...prompt, model, multimask: single }, signal),
    enabled: asked,
    staleTime: Number.POSITIVE_INFINITY,
    retry: (failures, error) => failures < 40 && error instanceof ApiError && error.code === "embedding_pending",
    retryDelay: 1500,
  });
  const best = answer.data?.candidates.toSorted((a, b) => b.predicted_iou - a.predicted_iou)[0];
  const [kept, setKept] = useState<Answer>({ patch: null, predicted: null, pending: false, error: null });
  useEffect(() => {
    const patch = asked && best ? decodePatch(best.segmentation as { size: [number, number]; counts: string }) : null;
    setKept({
      patch,
      predicted: patch && best ? best.predicted_iou : null,
      pending: answer.isFetching,
      error: answer.error,
    });
  }, [asked, best, answer.isFetching, answer.error]);
  return kept;
}

function Told({ answer, accepted }: { answer: Answer; accepted: readonly MaskItem[] }) {
  if (answer.error) return <Note tone="bad">{messageOf(answer.error)}</Note>;
  if (answer.pending && !answer.patch) return "Asking";
  const { patch, predicted } = answer;
  if (!patch || predicted === null) return "Nothing asked yet.";
  const likest = Math.max(0, ...accepted.map((mask) => overlapOf(mask, { patch })));
  return `Believes in IoU ${predicted.toFixed(2)}; with the accepted mask it meets best: ${likest.toFixed(3)}`;
}

function boxOf(mask: MaskItem): [number, number, number, number] {
  const { x0, y0, x1, y1 } = patchBox(mask.patch);
  return [x0, y0, x1, y1];
}

function usePicture(imageId: number): HTMLImageElement | null {
  const [picture, setPicture] = useState<HTMLImageElement | null>(null);
  useEffect(() => {
    const element = new Image();
    element.onload = () => setPicture(element);
    element.src = `/api/images/${imageId}/file/`;
    return () => {
      element.onload = null;
    };
  }, [imageId]);
  return picture;
}

interface CanvasProps {
  picture: HTMLImageElement | null;
  size: { width: number; height: number };
  patch: Patch | null;
  prompt: Prompt;
  onPrompt: (prompt: Prompt) => void;
}

function Canvas({ picture, size, patch, prompt, onPrompt }: CanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const pressed = useRef<{ x: number; y: number; at: [number, number] } | null>(null);
  const scale = Math.min(1, MOST_SIDE / Math.max(size.width, size.height));
  useEffect(() => {
    if (canvas.current) paintSide(canvas.current, picture, size, patch, prompt);
  }, [picture, size, patch, prompt]);
  const place = (event: PointerEvent<HTMLCanvasElement>): [number, number] => {
    const { left, top, width, height } = event.currentTarget.getBoundingClientRect();
    const x = ((event.clientX - left) / width) * size.width;
    const y = ((event.clientY - top) / height) * size.height;
    return [Math.min(Math.max(x, 0), size.width), Math.min(Math.max(y, 0), size.height)];
  };
  return (
    <canvas
      ref={canvas}
      className="side__canvas"
      width={Math.max(1, Math.round(size.width * scale))}
      height={Math.max(1, Math.round(size.height * scale))}
      role="img"
      aria-label={patch ? "The picture with the version's mask" : "The picture"}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        pressed.current = { x: event.clientX, y: event.clientY, at: place(event) };
      }}
      onPointerUp={(event) => {
        const from = pressed.current;
        pressed.current = null;
        if (!from) return;
        const [x, y] = place(event);
        const [fromX, fromY] = from.at;
        if (Math.hypot(event.clientX - from.x, event.clientY - from.y) >= DRAG) {
          const box = [Math.min(x, fromX), Math.min(y, fromY), Math.max(x, fromX), Math.max(y, fromY)] as const;
          onPrompt({ points: [], labels: [], box });
        } else {
          onPrompt({
            ...prompt,
            points: [...prompt.points, [x, y]],
            labels: [...prompt.labels, event.shiftKey ? 0 : 1],
          });
        }
      }}
    />
  );
}
