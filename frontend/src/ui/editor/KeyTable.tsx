import { Plus, RotateCcw, TriangleAlert, X } from "lucide-react";
import { Fragment, useEffect, useRef, useState } from "react";
import { COMMANDS } from "../../actions/commands";
import type { EditorSession } from "../../actions/editorSession";
import { strokeLabel, strokeNames } from "../../actions/keymap";
import { PRESET_NAMES } from "../../actions/presets";
import {
  type Command,
  conflicts,
  keysOf,
  strokeTable,
  withoutChange,
  withoutStroke,
  withStroke,
} from "../../actions/registry";
import type { Preset } from "../../core/preferences";
import { Button, IconButton } from "../kit/kit";
import { GROUPS } from "./dialogs";
import { useEditor } from "./useEditor";

/** What is being asked: a new key for a command, and whether to take it from another. */
type Asking =
  | { readonly step: "press"; readonly command: Command }
  | { readonly step: "taken"; readonly command: Command; readonly stroke: string; readonly by: Command };

/** Every command with its keys, to be changed one by one or all at once by a preset. */
export function KeyTable({ session }: { session: EditorSession }) {
  const preferences = useEditor(session, (state) => state.preferences.current);
  const [asking, setAsking] = useState<Asking | null>(null);
  const clashes = conflicts(COMMANDS, preferences);
  const changed = Object.keys(preferences.keys).length > 0;

  const take = (command: Command, stroke: string) => {
    session.preferences.set({ keys: withStroke(COMMANDS, preferences, command, stroke) });
    setAsking(null);
  };
  const pressed = (command: Command, stroke: string) => {
    const by = strokeTable(COMMANDS, preferences).get(stroke);
    if (!by || by.id === command.id) take(command, stroke);
    else setAsking({ step: "taken", command, stroke, by });
  };

  return (
    <>
      <div className="row key-head">
        <label className="row">
          Preset
          <select
            className="input"
            value={preferences.preset}
            onChange={(event) => session.preferences.set({ preset: event.target.value as Preset })}
          >
            {(Object.entries(PRESET_NAMES) as [Preset, string][]).map(([id, name]) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <Button size="small" icon={RotateCcw} disabled={!changed} onClick={() => session.preferences.set({ keys: {} })}>
          Undo all my changes
        </Button>
      </div>
      {clashes.size > 0 && (
        <p className="note note--warn" role="status">
          <TriangleAlert size={17} aria-hidden />
          <span>
            {[...clashes].map(([stroke, commands]) => (
              <Fragment key={stroke}>
                <kbd>{strokeLabel(stroke)}</kbd> {commands.map((command) => command.label).join(" and ")}.{" "}
              </Fragment>
            ))}
          </span>
        </p>
      )}
      {GROUPS.map((group) => (
        <section key={group} aria-label={group}>
          <h3>{group}</h3>
          <ul className="key-list">
            {COMMANDS.filter((command) => command.group === group).map((command) => (
              <li key={command.id}>
                <span>{command.label}</span>
                <span className="key-list__keys">
                  {asking?.command.id === command.id ? (
                    <Ask asking={asking} pressed={pressed} take={take} cancel={() => setAsking(null)} />
                  ) : (
                    <Keys session={session} command={command} ask={() => setAsking({ step: "press", command })} />
                  )}
                </span>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}

interface KeysProps {
  session: EditorSession;
  command: Command;
  ask: () => void;
}

function Keys({ session, command, ask }: KeysProps) {
  const preferences = useEditor(session, (state) => state.preferences.current);
  return (
    <>
      {keysOf(command, preferences).map((stroke) => (
        <kbd key={stroke}>
          {strokeLabel(stroke)}
          <button
            type="button"
            aria-label={`Take ${strokeLabel(stroke)} from “${command.label}”`}
            onClick={() => session.preferences.set({ keys: withoutStroke(preferences, command, stroke) })}
          >
            <X size={12} aria-hidden />
          </button>
        </kbd>
      ))}
      {preferences.keys[command.id] && (
        <IconButton
          icon={RotateCcw}
          size="small"
          look="quiet"
          label={`Usual keys of “${command.label}”`}
          onClick={() => session.preferences.set({ keys: withoutChange(preferences, command) })}
        />
      )}
      <IconButton icon={Plus} size="small" look="quiet" label={`Add a key to “${command.label}”`} onClick={ask} />
    </>
  );
}

interface AskProps {
  asking: Asking;
  pressed: (command: Command, stroke: string) => void;
  take: (command: Command, stroke: string) => void;
  cancel: () => void;
}

function Ask({ asking, pressed, take, cancel }: AskProps) {
  const field = useRef<HTMLButtonElement>(null);
  useEffect(() => field.current?.focus(), []);
  if (asking.step === "taken") {
    return (
      <span className="row" role="alert">
        <span className="small">
          <kbd>{strokeLabel(asking.stroke)}</kbd> is “{asking.by.label}”.
        </span>
        <Button size="small" onClick={() => take(asking.command, asking.stroke)}>
          Use it here
        </Button>
        <Button size="small" look="quiet" onClick={cancel}>
          Leave it
        </Button>
      </span>
    );
  }
  return (
    <button
      ref={field}
      type="button"
      className="button button--small key-ask"
      onBlur={cancel}
      onKeyDown={(event) => {
        // Tab is a key like any other here; Esc is how to leave without one.
        event.preventDefault();
        event.stopPropagation();
        if (event.key === "Escape") return cancel();
        const names = strokeNames(event.nativeEvent);
        const stroke = names.at(-1);
        if (stroke) pressed(asking.command, stroke);
      }}
    >
      Press a key, or Esc to leave
    </button>
  );
}
