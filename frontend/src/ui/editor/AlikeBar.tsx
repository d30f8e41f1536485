import { useQuery } from "@tanstack/react-query";
import { Check, FlaskConical, Images } from "lucide-react";
import { useId, useState } from "react";
import { type Sought, soughtBy } from "../../actions/alike";
import type { EditorSession } from "../../actions/editorSession";
import { LEAST_ALIKE } from "../../actions/proposals";
import { api } from "../../api/endpoints";
import type { Dataset } from "../../api/types";
import { Bar, Button } from "../kit/kit";
import { useSession } from "../session";
import { ThresholdSlider } from "./ThresholdSlider";
import { useEditor } from "./useEditor";

/** What was found to be like the chosen masks, or a name: how alike it must be, and what becomes of it. */
export function AlikeBar({ session, dataset }: { session: EditorSession; dataset: Dataset }) {
  const { alike, proposals } = session;
  const state = useEditor(session, () => alike.state);
  const progress = useEditor(session, () => alike.progress);
  const count = useEditor(session, () => proposals.visible().length);
  if (state === "searching") {
    return (
      <span className="options__progress">
        <Bar value={progress} label="Looking for everything like it" />
        <Button size="small" onClick={() => alike.cancel()}>
          Stop
        </Button>
      </span>
    );
  }
  return (
    <>
      <span role="status" className="options__count">
        {count} {told(alike.sought)}
      </span>
      <ThresholdSlider
        session={session}
        label={byText(alike.sought) ? "Fits by" : "Alike by"}
        min={LEAST_ALIKE}
        max={0.9}
      />
      <Button
        size="small"
        look="primary"
        icon={Check}
        disabled={count === 0}
        onClick={() => session.mayChange() && proposals.takeAll()}
      >
        Take all
      </Button>
      {dataset.role === "lead" && (
        <Button
          size="small"
          icon={Images}
          title="Proposed on every image that waits for an annotator"
          onClick={() => void alike.propose()}
        >
          On other images
        </Button>
      )}
    </>
  );
}

const BY_NAME = "Experimental: learnt from the masks of this dataset that have the name";
const BY_TEXT = `${BY_NAME}; what is no name yet is judged by the text encoder`;

function byText(sought: Sought | null): sought is { readonly text: string } {
  return sought !== null && "text" in sought;
}

function told(sought: Sought | null): string {
  if (byText(sought)) return `for “${sought.text}”`;
  return sought && "category" in sought ? `like “${sought.category}”` : "like it";
}

/** A category of the dataset, to be looked for by the masks that have it, or free text where the server can. */
export function WordField({ session }: { session: EditorSession }) {
  const [word, setWord] = useState("");
  const list = useId();
  const dataset = session.options.image.dataset;
  const names = useQuery({
    queryKey: ["categories", dataset],
    queryFn: () => api.categories(dataset),
    staleTime: 30_000,
  });
  const freeText = useSession().data?.free_text ?? false;
  const known = (names.data ?? []).map((one) => one.name).filter((name) => name !== "");
  if (known.length === 0 && !freeText) return null;
  const label = freeText ? "Find by name or text" : "Find by name";
  return (
    <form
      className="options__word"
      onSubmit={(event) => {
        event.preventDefault();
        if (word.trim()) void session.alike.find(soughtBy(word.trim(), known, freeText));
      }}
    >
      <input
        className="input"
        aria-label={label}
        placeholder={label}
        maxLength={200}
        list={list}
        value={word}
        onChange={(event) => setWord(event.target.value)}
      />
      <datalist id={list}>
        {known.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <Button
        size="small"
        type="submit"
        icon={FlaskConical}
        disabled={!word.trim()}
        title={freeText ? BY_TEXT : BY_NAME}
      >
        Find (experimental)
      </Button>
    </form>
  );
}
