import { RotateCcw, Ruler, SquareSplitHorizontal, X } from "lucide-react";
import { useId } from "react";
import type { EditorSession } from "../../actions/editorSession";
import { type Channel, isPlain } from "../../core/viewSettings";
import type { ValuesPicture } from "../../render/valuesPicture";
import { NumberInput } from "../kit/fields";
import { Button, IconButton } from "../kit/kit";
import { Slider } from "./Slider";
import { useEditor } from "./useEditor";
import { WindowFields } from "./WindowFields";

const CHANNELS: [Channel, string][] = [
  ["colour", "Colour"],
  ["red", "R"],
  ["green", "G"],
  ["blue", "B"],
  ["grey", "Grey"],
];

interface ViewPanelProps {
  session: EditorSession;
  /** The picture in its own values, where it has some and they are there. */
  picture: ValuesPicture | null;
  onClose: () => void;
}

/** How the picture is shown. Nothing here changes what is saved, or what the model sees. */
export function ViewPanel({ session, picture, onClose }: ViewPanelProps) {
  const { view } = session.options;
  const settings = useEditor(session, (state) => state.options.view.current);
  const divided = useEditor(session, (state) => state.split.before !== null);
  const { look } = settings;
  return (
    <section className="view-panel" aria-label="Picture and view">
      <div className="view-panel__head">
        <h2>Picture</h2>
        <Button size="small" look="quiet" icon={RotateCcw} disabled={isPlain(look)} onClick={() => view.resetLook()}>
          Reset
        </Button>
        <IconButton icon={X} size="small" look="quiet" label="Close" onClick={onClose} />
      </div>
      <WindowFields session={session} picture={picture} />
      <Slider
        label="Brightness"
        low={-1}
        high={1}
        value={look.brightness}
        set={(brightness) => view.setLook({ brightness })}
      />
      <Slider label="Contrast" low={0} high={4} value={look.contrast} set={(contrast) => view.setLook({ contrast })} />
      <Slider label="Gamma" low={0.2} high={5} value={look.gamma} set={(gamma) => view.setLook({ gamma })} />
      <fieldset className="view-panel__channels">
        <legend className="sr-only">Channel</legend>
        {picture ? (
          <OwnChannels picture={picture} channel={look.channel} set={(channel) => view.setLook({ channel })} />
        ) : (
          CHANNELS.map(([channel, label]) => (
            <Button
              key={channel}
              size="small"
              aria-pressed={look.channel === channel}
              onClick={() => view.setLook({ channel })}
            >
              {label}
            </Button>
          ))
        )}
        <Button size="small" aria-pressed={look.invert} onClick={() => view.setLook({ invert: !look.invert })}>
          Invert
        </Button>
      </fieldset>
      <div className="view-panel__head">
        <h2>View</h2>
        <Button size="small" icon={Ruler} onClick={() => session.setTool("ruler")}>
          Ruler
        </Button>
        <Button
          size="small"
          icon={SquareSplitHorizontal}
          aria-pressed={divided}
          onClick={() => void session.split.toggle()}
        >
          First and now
        </Button>
      </div>
      <Check label="Overview in the corner" on={settings.minimap} set={(minimap) => view.set({ minimap })} />
      <Check label="A word after 30 s on a mask" on={settings.nudge} set={(nudge) => view.set({ nudge })} />
      <div className="view-panel__line">
        <NumberField
          label="Grid every"
          unit="px"
          value={settings.grid || null}
          set={(grid) => view.set({ grid: grid === null ? 0 : Math.min(10_000, Math.round(grid)) })}
        />
      </div>
      <div className="view-panel__line">
        <NumberField label="One pixel is" value={settings.pixelSize} set={(pixelSize) => view.set({ pixelSize })} />
        <input
          className="input view-panel__unit"
          aria-label="Unit of length"
          maxLength={12}
          value={settings.unit}
          onChange={(event) => view.set({ unit: event.target.value })}
        />
      </div>
    </section>
  );
}

interface OwnChannelsProps {
  picture: ValuesPicture;
  channel: Channel;
  set: (channel: Channel) => void;
}

/** Every channel of a deep picture, also those that the stored one does not show. */
function OwnChannels({ picture: { source }, channel, set }: OwnChannelsProps) {
  if (source.channels.length < 2) return null;
  const together = source.shown.length > 1 ? "Together" : `As stored (${(source.shown[0] ?? 0) + 1})`;
  return (
    <select
      className="input"
      aria-label="Channel of the picture"
      value={typeof channel === "number" ? channel : ""}
      onChange={({ target }) => set(target.value === "" ? "colour" : Number(target.value))}
    >
      <option value="">{together}</option>
      {source.channels.map((_, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a channel is its number
        <option key={at} value={at}>
          Channel {at + 1}
        </option>
      ))}
    </select>
  );
}

function Check({ label, on, set }: { label: string; on: boolean; set: (on: boolean) => void }) {
  return (
    <label className="view-panel__check">
      <input type="checkbox" checked={on} onChange={(event) => set(event.target.checked)} />
      {label}
    </label>
  );
}

interface NumberProps {
  label: string;
  unit?: string;
  /** Null: the field is empty. */
  value: number | null;
  set: (value: number | null) => void;
}

function NumberField({ label, unit, value, set }: NumberProps) {
  const id = useId();
  return (
    <>
      <label htmlFor={id}>{label}</label>
      <NumberInput
        id={id}
        className="input view-panel__number"
        min={0}
        step="any"
        placeholder="off"
        value={value}
        onNumber={(typed) => set(typed !== null && typed > 0 ? typed : null)}
      />
      {unit && <span className="muted">{unit}</span>}
    </>
  );
}
