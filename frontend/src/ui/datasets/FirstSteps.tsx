import { Check, X } from "lucide-react";
import { useState } from "react";
import { Link } from "react-router";
import type { Dataset } from "../../api/types";
import { Button, buttonClass, IconButton } from "../kit/kit";
import { useUser } from "../session";

interface Step {
  readonly title: string;
  readonly text: string;
  readonly to: (dataset: number) => string;
  readonly go: string;
}

const STEPS: readonly Step[] = [
  {
    title: "Click an object",
    text: "Open a picture and click something in it. The model answers with up to three masks; number keys choose, more clicks correct, Enter accepts.",
    to: (dataset) => `/datasets/${dataset}/label`,
    go: "Open a picture",
  },
  {
    title: "Submit and go on",
    text: "When every object has its mask, Ctrl+Enter submits the picture and opens the next one. The list shows what is done.",
    to: (dataset) => `/datasets/${dataset}`,
    go: "See the pictures",
  },
  {
    title: "Let the model learn",
    text: "After some masks, retrain. The new model serves only if it beats the old one on pictures that neither has seen, and one click brings the old one back.",
    to: (dataset) => `/datasets/${dataset}/model`,
    go: "See the model",
  },
  {
    title: "Bring in others",
    text: "Invite people by a link, as annotators or reviewers. A share of what they make can be reviewed.",
    to: (dataset) => `/datasets/${dataset}/people`,
    go: "Invite people",
  },
  {
    title: "See whether it pays",
    text: "The tab Proof tells seconds and clicks per mask, by model version. Export takes everything out as COCO, SA-1B and more.",
    to: (dataset) => `/datasets/${dataset}/proof`,
    go: "See the proof",
  },
];

const KEY = "anymask.first-steps.";

/** Five steps through the product on the first dataset; skipped for good by one key or click. */
export function FirstSteps({ datasets }: { datasets: readonly Dataset[] }) {
  const key = KEY + useUser().id;
  const [at, setAt] = useState(() => Number(localStorage.getItem(key) ?? 0));
  const dataset = datasets.find((one) => one.image_count > 0 && one.role === "lead");
  const step = STEPS[at];
  if (!dataset || !step) return null;
  const move = (to: number) => {
    localStorage.setItem(key, String(to));
    setAt(to);
  };
  return (
    <section className="card card--pad stack stack--small first-steps" aria-labelledby="first-steps">
      <div className="row row--between row--tight">
        <h2 id="first-steps">
          First steps: {step.title}{" "}
          <span className="muted small">
            {at + 1} of {STEPS.length}
          </span>
        </h2>
        <IconButton
          icon={X}
          look="quiet"
          size="small"
          label="Skip the first steps"
          onClick={() => move(STEPS.length)}
        />
      </div>
      <p aria-live="polite">{step.text}</p>
      <div className="row">
        <Link className={buttonClass("primary", "small")} to={step.to(dataset.id)} onClick={() => move(at + 1)}>
          {step.go}
        </Link>
        {at > 0 && (
          <Button size="small" look="quiet" onClick={() => move(at - 1)}>
            Back
          </Button>
        )}
        <Button size="small" icon={Check} onClick={() => move(at + 1)}>
          {at + 1 < STEPS.length ? "Next step" : "Done"}
        </Button>
      </div>
    </section>
  );
}
