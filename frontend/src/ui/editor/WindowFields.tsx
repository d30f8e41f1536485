import { ScanLine } from "lucide-react";
import { type KeyboardEvent, useId } from "react";
import type { EditorSession } from "../../actions/editorSession";
import {
  commonEnds,
  fittedWindow,
  gridOf,
  shareOf,
  shareRange,
  shareStep,
  valueFor,
  valueWritten,
} from "../../core/deepValues";
import { clamp, screenPoint } from "../../core/geometry";
import { toImage } from "../../core/viewport";
import { STORED_LIMITS, type StoredRange, valueText, type WindowLimits, withWindow } from "../../core/viewSettings";
import type { ValuesPicture } from "../../render/valuesPicture";
import { Button } from "../kit/kit";
import { Slider } from "./Slider";
import { useEditor } from "./useEditor";

const ENDS = [
  ["black", "Black at"],
  ["white", "White at"],
] as const;

/** What is black and what is white: in the picture's own values once they are there, before that as it is stored. */
export function WindowFields({ session, picture }: { session: EditorSession; picture: ValuesPicture | null }) {
  const { view, image } = session.options;
  const look = useEditor(session, (state) => state.options.view.current.look);
  const limits = picture ? limitsOf(picture) : STORED_LIMITS;
  const ends = picture && commonEnds(picture.source, picture.planes);
  const inverted = picture?.source.inverted ?? false;
  const fit = () => {
    const window = picture && fitted(session, picture);
    if (window) view.setLook(window);
    else session.notices.emit("All values in view are alike.");
  };
  return (
    <>
      {ENDS.map(([end, label]) => (
        <Slider
          key={end}
          label={label}
          low={limits.low}
          high={limits.high}
          step={limits.step}
          value={look[end]}
          text={
            ends
              ? valueWritten(valueFor(look[end], ends, inverted))
              : picture
                ? `${Math.round(look[end] * 1000) / 10} %`
                : valueText(look[end], image.mapping as StoredRange | null)
          }
          set={(at) => view.setLook(withWindow(look, end, at, limits))}
        >
          {ends && (
            <ValueField
              label={`${label}, value`}
              value={valueWritten(valueFor(look[end], ends, inverted))}
              set={(value) => view.setLook(withWindow(look, end, shareOf(value, ends, inverted), limits))}
            />
          )}
        </Slider>
      ))}
      {picture && (
        <Button size="small" icon={ScanLine} onClick={fit}>
          Fit to what is in view
        </Button>
      )}
      <ValuesNotice session={session} />
    </>
  );
}

const limitsOf = ({ source, planes }: ValuesPicture): WindowLimits => ({
  ...shareRange(source, planes),
  step: shareStep(source, planes),
});

/** Black and white at the ends of what the canvas shows of the picture. */
function fitted({ view, canvas, size }: EditorSession, picture: ValuesPicture) {
  const first = toImage(view, screenPoint(0, 0));
  const last = toImage(view, screenPoint(canvas.width, canvas.height));
  const box = {
    x0: clamp(first.x, 0, size.width),
    y0: clamp(first.y, 0, size.height),
    x1: clamp(last.x, 0, size.width),
    y1: clamp(last.y, 0, size.height),
  };
  const readings = gridOf(box).flatMap((point) => picture.at(point) ?? []);
  const samples = picture.planes.map((_, place) => readings.map(({ values }) => values[place] ?? Number.NaN));
  return fittedWindow(samples, picture.planes, picture.source);
}

/** How it stands with a deep picture's own values. */
function ValuesNotice({ session }: { session: EditorSession }) {
  const state = useEditor(session, ({ values }) => values.state);
  if (state.kind === "loading") {
    return (
      <p className="view-panel__notice" role="status">
        Loading the original values; until then the stored 8 bits are shown.
      </p>
    );
  }
  if (state.kind === "failed") {
    return (
      <p className="view-panel__notice" role="alert">
        {state.message} The stored 8 bits are shown.{" "}
        <Button size="small" look="quiet" onClick={() => session.values.want(true)}>
          Try again
        </Button>
      </p>
    );
  }
  if (state.kind !== "none" || session.options.image.mapping === null) return null;
  return (
    <p className="view-panel__notice">
      The original values of this picture are not kept, or are too many: the stored 8 bits are shown.
    </p>
  );
}

interface ValueFieldProps {
  label: string;
  value: string;
  set: (value: number) => void;
}

/** A value as it is typed; taken over with Enter or when the field is left. */
function ValueField({ label, value, set }: ValueFieldProps) {
  const id = useId();
  const take = (field: HTMLInputElement) => {
    const typed = Number(field.value);
    if (field.value !== "" && field.value !== value && Number.isFinite(typed)) set(typed);
    else field.value = value;
  };
  const enter = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key === "Enter") take(event.currentTarget);
  };
  return (
    <input
      // Another value, moved by the slider, is another field.
      key={value}
      id={id}
      className="input view-panel__value"
      type="number"
      step="any"
      aria-label={label}
      defaultValue={value}
      onBlur={(event) => take(event.currentTarget)}
      onKeyDown={enter}
    />
  );
}
