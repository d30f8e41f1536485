import { type FormEvent, useState } from "react";
import { COMMANDS } from "../../actions/commands";
import type { EditorSession } from "../../actions/editorSession";
import { strokeLabel } from "../../actions/keymap";
import { type CommandGroup, keysOf, type Page } from "../../actions/registry";
import { TextField } from "../kit/fields";
import { Button, Dialog } from "../kit/kit";
import { useEditor } from "./useEditor";

export const GROUPS: readonly CommandGroup[] = [
  "Mask",
  "Tools",
  "Pixels",
  "Image",
  "Video",
  "View",
  "Crosshair",
  "Help",
];
const POINTER: [string, string[]][] = [
  ["Add to the mask", ["click"]],
  ["Remove from the mask", ["right click", "Alt + click"]],
  ["Straight line with the brush", ["Shift + click"]],
  ["Close an outline", ["double click"]],
  ["Select one more mask", ["Shift + click"]],
  ["Size of the brush", ["Ctrl + wheel", "Alt + wheel"]],
  ["Zoom", ["wheel", "pinch"]],
  ["Move the picture", ["middle button", "Space + drag"]],
];

interface HelpProps {
  session: EditorSession;
  page: Page;
  onClose: () => void;
}

/** Every command with its keys, straight from the command table, as this person has them. */
export function HelpDialog({ session, page, onClose }: HelpProps) {
  const preferences = useEditor(session, (state) => state.preferences.current);
  return (
    <Dialog title="Keys" wide onClose={onClose}>
      <div className="keys">
        <section>
          <h3>Pointer</h3>
          <ul>
            {POINTER.map(([label, keys]) => (
              <KeyLine key={label} label={label} keys={keys} />
            ))}
            <KeyLine label="Next part of the page" keys={["F6"]} />
          </ul>
        </section>
        {GROUPS.map((group) => (
          <section key={group}>
            <h3>{group}</h3>
            <ul>
              {COMMANDS.filter((command) => command.group === group).map((command) => (
                <KeyLine key={command.id} label={command.label} keys={keysOf(command, preferences).map(strokeLabel)} />
              ))}
            </ul>
          </section>
        ))}
      </div>
      <div className="dialog__actions">
        <Button onClick={() => page.openSettings()}>Change keys</Button>
      </div>
    </Dialog>
  );
}

function KeyLine({ label, keys }: { label: string; keys: readonly string[] }) {
  return (
    <li>
      <span>{label}</span>
      <span>
        {keys.map((key) => (
          <kbd key={key}>{key}</kbd>
        ))}
      </span>
    </li>
  );
}

const REASONS = [
  "Too blurred or too dark",
  "Nothing recognisable",
  "Not a picture for this dataset",
  "Too hard for me",
];

/** A skipped image needs a reason: the lead reads it. */
export function SkipDialog({ onSkip, onClose }: { onSkip: (reason: string) => void; onClose: () => void }) {
  const [reason, setReason] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (reason.trim()) onSkip(reason.trim());
  };
  return (
    <Dialog title="Skip this image" onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        <p className="muted">Nobody is offered it again by itself. Why is it skipped?</p>
        <div className="row">
          {REASONS.map((one) => (
            <Button key={one} size="small" aria-pressed={reason === one} onClick={() => setReason(one)}>
              {one}
            </Button>
          ))}
        </div>
        <TextField label="Reason" required maxLength={500} value={reason} onChange={setReason} />
        <div className="dialog__actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" disabled={!reason.trim()}>
            Skip and open the next
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
