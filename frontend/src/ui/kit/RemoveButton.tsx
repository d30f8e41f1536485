import { Trash2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import { createPortal } from "react-dom";
import { Button, Dialog, IconButton } from "./kit";

interface RemoveButtonProps {
  /** What it does, as a sentence without its end: "Revoke nightly export". */
  label: string;
  /** The verb of the sentence, for the button that does it. */
  verb: string;
  disabled: boolean;
  onRemove: () => void;
  /** What goes with it, and what stays. */
  children: ReactNode;
}

/** Takes something away that no undo brings back, after a question. */
export function RemoveButton({ label, verb, disabled, onRemove, children }: RemoveButtonProps) {
  const [asking, setAsking] = useState(false);
  const close = () => setAsking(false);
  const remove = () => {
    close();
    onRemove();
  };
  return (
    <>
      <IconButton
        icon={Trash2}
        look="quiet"
        size="small"
        label={label}
        disabled={disabled}
        onClick={() => setAsking(true)}
      />
      {/* Out of the table or card that the button stands in, whose looks the question would inherit. */}
      {asking &&
        createPortal(
          <Dialog title={`${label}?`} onClose={close}>
            <div className="stack">
              <p>{children}</p>
              <div className="dialog__actions">
                <Button onClick={close}>Keep it</Button>
                <Button look="danger" onClick={remove}>
                  {verb}
                </Button>
              </div>
            </div>
          </Dialog>,
          document.body,
        )}
    </>
  );
}
