import { Copy } from "lucide-react";
import { Button, Field } from "../kit/kit";
import { useToast } from "../kit/toast";

/** Something long that is shown once, to be taken elsewhere. */
export function CopyField({ label, value, hint }: { label: string; value: string; hint: string }) {
  const toast = useToast();
  const copy = async () => {
    try {
      // Over plain HTTP browsers have no clipboard at all.
      await navigator.clipboard.writeText(value);
      toast("Copied.");
    } catch {
      toast("Select the text and copy it by hand.");
    }
  };
  return (
    <Field label={label} hint={hint}>
      {(id, hintId) => (
        <div className="row row--tight">
          <input
            id={id}
            className="input mono grow"
            aria-describedby={hintId}
            readOnly
            value={value}
            onFocus={(event) => event.currentTarget.select()}
          />
          <Button icon={Copy} onClick={() => void copy()}>
            Copy
          </Button>
        </div>
      )}
    </Field>
  );
}
