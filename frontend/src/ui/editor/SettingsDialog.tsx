import { type ReactNode, useState } from "react";
import type { EditorSession } from "../../actions/editorSession";
import { DWELL_LONGEST, DWELL_SHORTEST, type MaskStyle, type Preferences } from "../../core/preferences";
import { Button, Dialog } from "../kit/kit";
import { KeyTable } from "./KeyTable";
import { useEditor } from "./useEditor";

const FIRST_DWELL = 1000;
const STYLES: readonly (readonly [MaskStyle, string])[] = [
  ["filled", "Colour"],
  ["patterned", "Colour and pattern"],
  ["outlined", "Outline only"],
];

/** How one person works: by which keys, with which gestures, and how masks look. Kept in this browser. */
export function SettingsDialog({ session, onClose }: { session: EditorSession; onClose: () => void }) {
  const [page, setPage] = useState<"work" | "keys">("work");
  return (
    <Dialog title="Keys and ways of working" wide onClose={onClose}>
      <div className="settings">
        <div className="row" role="tablist" aria-label="Settings">
          <Tab chosen={page === "work"} id="work" choose={() => setPage("work")}>
            Ways of working
          </Tab>
          <Tab chosen={page === "keys"} id="keys" choose={() => setPage("keys")}>
            Keys
          </Tab>
        </div>
        <div role="tabpanel" aria-labelledby={`settings-${page}`} className="settings__page">
          {page === "work" ? <WaysOfWorking session={session} /> : <KeyTable session={session} />}
        </div>
        <p className="muted small">Kept in this browser, for you alone.</p>
      </div>
    </Dialog>
  );
}

interface TabProps {
  chosen: boolean;
  id: string;
  choose: () => void;
  children: ReactNode;
}

function Tab({ chosen, id, choose, children }: TabProps) {
  return (
    <Button size="small" role="tab" id={`settings-${id}`} aria-selected={chosen} onClick={choose}>
      {children}
    </Button>
  );
}

function WaysOfWorking({ session }: { session: EditorSession }) {
  const preferences = useEditor(session, (state) => state.preferences.current);
  const set = (part: Partial<Preferences>) => session.preferences.set(part);
  return (
    <>
      <Switch
        label="Work by clicks alone"
        hint="No button has to be held: two clicks make a box, brush and eraser paint lines from click to click."
        checked={preferences.clickOnly}
        change={(clickOnly) => set({ clickOnly })}
      />
      <Switch
        label="Click by holding still"
        hint="A ring shows how long it still takes. Right clicks become “Remove” in the bar over the picture."
        checked={preferences.dwell !== null}
        change={(on) => set({ dwell: on ? FIRST_DWELL : null })}
      />
      {preferences.dwell !== null && (
        <label className="setting setting--inner">
          <span>
            Time to hold still <output>{(preferences.dwell / 1000).toFixed(1)} s</output>
          </span>
          <input
            type="range"
            min={DWELL_SHORTEST}
            max={DWELL_LONGEST}
            step={100}
            value={preferences.dwell}
            aria-valuetext={`${(preferences.dwell / 1000).toFixed(1)} seconds`}
            onChange={(event) => set({ dwell: event.target.valueAsNumber })}
          />
        </label>
      )}
      <Switch
        label="Large buttons"
        hint="Tools, candidates and lists with more room to hit."
        checked={preferences.largeTargets}
        change={(largeTargets) => set({ largeTargets })}
      />
      <Switch
        label="Pen pressure"
        hint="A pen that presses less paints thinner."
        checked={preferences.pressure}
        change={(pressure) => set({ pressure })}
      />
      <Switch
        label="Masks do not overlap"
        hint="An accepted mask takes its pixels from the others, but not from locked ones or proposals."
        checked={preferences.exclusive}
        change={(exclusive) => set({ exclusive })}
      />
      <fieldset className="setting setting--group">
        <legend>Look of masks</legend>
        <div className="row">
          {STYLES.map(([style, name]) => (
            <label key={style} className="row">
              <input
                type="radio"
                name="mask-style"
                checked={preferences.maskStyle === style}
                onChange={() => set({ maskStyle: style })}
              />
              {name}
            </label>
          ))}
        </div>
      </fieldset>
    </>
  );
}

interface SwitchProps {
  label: string;
  hint: string;
  checked: boolean;
  change: (checked: boolean) => void;
}

function Switch({ label, hint, checked, change }: SwitchProps) {
  return (
    <label className="setting">
      <input type="checkbox" checked={checked} onChange={(event) => change(event.target.checked)} />
      <span>
        {label}
        <span className="muted small">{hint}</span>
      </span>
    </label>
  );
}
