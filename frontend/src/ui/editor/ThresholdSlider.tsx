import type { EditorSession } from "../../actions/editorSession";
import { percent } from "../kit/format";
import { useEditor } from "./useEditor";

interface ThresholdProps {
  session: EditorSession;
  label: string;
  min: number;
  max: number;
}

/** From which score on proposals are shown; nothing is asked anew. */
export function ThresholdSlider({ session, label, min, max }: ThresholdProps) {
  const { proposals } = session;
  const threshold = useEditor(session, () => proposals.threshold);
  return (
    <label className="options__slider">
      {label}
      <input
        type="range"
        min={min}
        max={max}
        step={0.05}
        value={threshold}
        aria-valuetext={percent(threshold)}
        onChange={(event) => proposals.setThreshold(event.target.valueAsNumber)}
      />
      <output>{percent(threshold)}</output>
    </label>
  );
}
