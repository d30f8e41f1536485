import { Check, Grid3x3, Minus, Plus, RotateCcw, Sparkles, Undo2 } from "lucide-react";
import type { EditorSession } from "../../actions/editorSession";
import { LOWEST_IOU } from "../../actions/proposals";
import { segmentEverything } from "../../actions/toolCommands";
import type { Dataset } from "../../api/types";
import { worksByClicks } from "../../core/preferences";
import type { OutlineUse } from "../../tools/tool";
import { Bar, Button } from "../kit/kit";
import { AlikeBar, WordField } from "./AlikeBar";
import { ThresholdSlider } from "./ThresholdSlider";
import { useEditor } from "./useEditor";

/** What the chosen tool can be told, in a small bar over the picture. Tools with nothing to say show none. */
export function ToolOptions({ session, dataset }: { session: EditorSession; dataset: Dataset }) {
  const tool = useEditor(session, (state) => state.toolId);
  const editable = useEditor(session, (state) => state.editable);
  const removing = useEditor(session, (state) => state.removing);
  const byClicks = useEditor(session, (state) => worksByClicks(state.preferences.current));
  if (!editable) return null;
  // A mouse has a second button for this; a finger and a dwelling pointer have not.
  const sign = byClicks || removing || window.matchMedia("(pointer: coarse)").matches;
  switch (tool) {
    case "click":
    case "scribble":
      return sign ? (
        <div className="options">
          <Sign session={session} />
        </div>
      ) : null;
    case "lasso":
    case "polygon":
      return (
        <div className="options">
          <Use session={session} />
          <OutlineSteps session={session} />
        </div>
      );
    case "brush":
    case "eraser":
      return (
        <div className="options">
          {sign && <Sign session={session} />}
          <BrushSize session={session} />
        </div>
      );
    case "proposals":
      return (
        <div className="options">
          <ProposalOptions session={session} dataset={dataset} />
        </div>
      );
    default:
      return null;
  }
}

interface ChoiceProps<T extends string> {
  label: string;
  value: T;
  options: readonly (readonly [T, string, typeof Plus])[];
  choose: (value: T) => void;
}

function Segmented<T extends string>({ label, value, options, choose }: ChoiceProps<T>) {
  return (
    <fieldset className="modes" aria-label={label}>
      {options.map(([one, name, Icon]) => (
        <button key={one} type="button" aria-pressed={one === value} onClick={() => choose(one)}>
          <Icon size={15} aria-hidden />
          {name}
        </button>
      ))}
    </fieldset>
  );
}

function Sign({ session }: { session: EditorSession }) {
  const removing = useEditor(session, (state) => state.removing);
  return (
    <Segmented
      label="What a click does"
      value={removing ? "remove" : "add"}
      options={[
        ["add", "Add", Plus],
        ["remove", "Remove", Minus],
      ]}
      choose={(value) => session.setRemoving(value === "remove")}
    />
  );
}

function Use({ session }: { session: EditorSession }) {
  const use = useEditor(session, (state) => (state.removing ? "remove" : state.outlineUse));
  return (
    <Segmented<OutlineUse>
      label="What the outline is for"
      value={use}
      options={[
        ["model", "Ask the model", Sparkles],
        ["add", "Add area", Plus],
        ["remove", "Remove area", Minus],
      ]}
      choose={(value) => {
        session.setRemoving(false);
        session.setOutlineUse(value);
      }}
    />
  );
}

/** For those without a keyboard: close the outline, take back a corner. */
function OutlineSteps({ session }: { session: EditorSession }) {
  const placing = useEditor(session, (state) => state.tool.state() === "placing");
  if (!placing) return null;
  return (
    <>
      <Button size="small" icon={Check} onClick={() => session.tool.finish()}>
        Close
      </Button>
      <Button size="small" icon={Undo2} onClick={() => session.tool.back()}>
        Last corner
      </Button>
    </>
  );
}

/** The slider's steps are powers: small brushes need fine steps, large ones do not. */
const SLIDER_STEPS = 100;
const LARGEST = 400;

function BrushSize({ session }: { session: EditorSession }) {
  const radius = useEditor(session, (state) => state.brushRadius);
  const diameter = Math.max(1, Math.round(radius * 2));
  return (
    <label className="options__slider">
      Size
      <input
        type="range"
        min={0}
        max={SLIDER_STEPS}
        value={Math.round((Math.log(Math.max(0.5, radius) * 2) / Math.log(LARGEST * 2)) * SLIDER_STEPS)}
        aria-valuetext={`${diameter} pixels`}
        onChange={(event) =>
          session.growBrush((LARGEST * 2) ** (event.target.valueAsNumber / SLIDER_STEPS) / 2 / session.brushRadius)
        }
      />
      <output>{diameter} px</output>
    </label>
  );
}

/** Proposals of the whole image, or of what is like something; and the way to look for a name. */
function ProposalOptions({ session, dataset }: { session: EditorSession; dataset: Dataset }) {
  const alike = useEditor(session, (state) => state.alike.sought !== null);
  return (
    <>
      {alike ? <AlikeBar session={session} dataset={dataset} /> : <ProposalBar session={session} />}
      {alike && (
        <Button size="small" icon={Grid3x3} onClick={() => segmentEverything(session)}>
          Everything
        </Button>
      )}
      <WordField session={session} />
    </>
  );
}

function ProposalBar({ session }: { session: EditorSession }) {
  const { proposals } = session;
  const state = useEditor(session, () => proposals.state);
  const progress = useEditor(session, () => proposals.progress);
  const count = useEditor(session, () => proposals.visible().length);
  return (
    <>
      {state === "running" && (
        <span className="options__progress">
          <Bar value={progress} label="Segmenting everything" />
          <Button size="small" onClick={() => proposals.cancel()}>
            Stop
          </Button>
        </span>
      )}
      <span role="status" className="options__count">
        {state === "idle" ? "No proposals yet" : count === 1 ? "1 object" : `${count} objects`}
      </span>
      <ThresholdSlider session={session} label="Sure by" min={LOWEST_IOU} max={0.95} />
      {state !== "running" && (
        <Button
          size="small"
          icon={RotateCcw}
          onClick={() => {
            proposals.reset();
            void proposals.run();
          }}
        >
          {state === "idle" ? "Start" : "Again"}
        </Button>
      )}
    </>
  );
}
