import { SelectField } from "../kit/fields";
import { counted, duration } from "../kit/format";

export const USUAL_RATE = "5";
/** More than any camera takes: every frame. */
const EVERY = "240";
const RATES = ["0.2", "1", "2", "5", "10", "15"];

interface Props {
  value: string;
  change: (value: string) => void;
  /** Frames of one video at the most; null: not known yet. */
  limit: number | null;
}

/** How many frames of a video become pictures. */
export function FrameRate({ value, change, limit }: Props) {
  const most = limit === null ? "" : ` At most ${counted(limit, "frame")} of one video are taken`;
  const time = limit === null || value === EVERY ? "" : `: ${duration(limit / Number(value))} at this rate`;
  return (
    <div className="fields">
      <SelectField
        label="Frames taken of videos"
        hint={`Each becomes a picture; objects are followed from one to the next.${most}${time}${most && "."}`}
        value={value}
        onChange={change}
      >
        {RATES.map((rate) => (
          <option key={rate} value={rate}>
            {rate === "0.2" ? "one in 5 seconds" : `${rate} a second`}
          </option>
        ))}
        <option value={EVERY}>every frame</option>
      </SelectField>
    </div>
  );
}
