import { WandSparkles } from "lucide-react";
import { Popover } from "radix-ui";
import { useState } from "react";
import { COMMANDS_BY_ID } from "../../actions/commands";
import type { EditorSession } from "../../actions/editorSession";
import type { Page } from "../../actions/registry";
import type { Preferences } from "../../core/preferences";
import { NumberInput } from "../kit/fields";
import { Tooltip } from "../kit/kit";
import { useStroke } from "./ToolRail";
import { useEditor } from "./useEditor";

interface Amount {
  readonly preference: "growBy" | "smallestPart" | "smoothBy";
  readonly label: string;
  readonly least: number;
  readonly most: number;
}

const GROW: Amount = { preference: "growBy", label: "Pixels to grow or shrink by", least: 1, most: 100 };
const ROWS: readonly (readonly [id: string, amount?: Amount])[] = [
  ["pixels.refine"],
  ["pixels.fill"],
  ["pixels.islands", { preference: "smallestPart", label: "Smallest part to keep, in pixels", least: 1, most: 1e6 }],
  ["pixels.smooth", { preference: "smoothBy", label: "Radius of smoothing in pixels", least: 1, most: 7 }],
  ["pixels.grow", GROW],
  ["pixels.shrink", GROW],
  ["pixels.cut"],
  ["pixels.yield"],
  ["pixels.split"],
  ["pixels.merge"],
];

/** What is done to the pixels of a whole mask: rarely wanted, so it lies behind one button, each with its key. */
export function RefineMenu({ session, page }: { session: EditorSession; page: Page }) {
  const [open, setOpen] = useState(false);
  const possible = useEditor(session, (state) => state.pixels.possible);
  const exclusive = useEditor(session, (state) => state.preferences.current.exclusive);
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Tooltip label="Work on the whole mask">
        <Popover.Trigger className="button button--icon" aria-label="Work on the whole mask">
          <WandSparkles size={19} aria-hidden />
        </Popover.Trigger>
      </Tooltip>
      <Popover.Portal>
        <Popover.Content
          className="popover refine"
          // On a phone the tools lie below the picture.
          side={window.matchMedia("(max-width: 860px)").matches ? "top" : "right"}
          align="center"
          sideOffset={10}
          collisionPadding={8}
          aria-label="Work on the whole mask"
          onCloseAutoFocus={(event) => {
            // Back to work: the next Enter is meant for the mask, not for this button.
            event.preventDefault();
            document.querySelector<HTMLElement>("canvas[data-layer=overlay]")?.focus();
          }}
        >
          <p className="muted small">
            {possible ? "The mask in the making, or the selected ones" : "Start a mask or select one first"}
          </p>
          <ul>
            {ROWS.map(([id, amount]) => (
              <RefineRow key={id} session={session} page={page} id={id} amount={amount} disabled={!possible} />
            ))}
          </ul>
          <label className="setting">
            <input
              type="checkbox"
              checked={exclusive}
              onChange={(event) => session.preferences.set({ exclusive: event.target.checked })}
            />
            <span>
              Masks do not overlap
              <span className="muted small">An accepted mask takes its pixels from the other accepted ones.</span>
            </span>
          </label>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

interface RowProps {
  session: EditorSession;
  page: Page;
  id: string;
  amount?: Amount;
  disabled: boolean;
}

function RefineRow({ session, page, id, amount, disabled }: RowProps) {
  const command = COMMANDS_BY_ID.get(id);
  const stroke = useStroke(session, id);
  if (!command) return null;
  return (
    <li className="refine__row">
      <button type="button" className="menu__item" disabled={disabled} onClick={() => command.run(session, page)}>
        <span>{command.label}</span>
        {stroke && <kbd>{stroke}</kbd>}
      </button>
      {amount && <AmountField session={session} amount={amount} />}
    </li>
  );
}

function AmountField({ session, amount }: { session: EditorSession; amount: Amount }) {
  const value = useEditor(session, (state) => state.preferences.current[amount.preference]);
  return (
    <span className="refine__amount">
      <NumberInput
        className="input"
        aria-label={amount.label}
        min={amount.least}
        max={amount.most}
        value={value}
        onNumber={(next) => {
          if (next === null || next < amount.least || next > amount.most) return;
          const part: Partial<Preferences> = { [amount.preference]: Math.round(next) };
          session.preferences.set(part);
        }}
      />
      px
    </span>
  );
}
