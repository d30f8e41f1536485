import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Undo2, Users } from "lucide-react";
import { useId, useMemo, useState } from "react";
import { Link, useParams } from "react-router";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { Consensus, ConsensusChoice, ConsensusObject } from "../../api/types";
import type { Picture } from "../../render/picture";
import { NumberInput } from "../kit/fields";
import { ago, counted } from "../kit/format";
import { Badge, Button, EmptyState, ErrorState, Loading } from "../kit/kit";
import { useToast } from "../kit/toast";
import { useShow } from "../kit/useChange";
import { MaskPicture, shapeOf, usePicture } from "../MaskPicture";
import { usePageTitle } from "../usePageTitle";
import { useDataset } from "./DatasetPage";

const CHOICES: { id: ConsensusChoice; label: string; needs: ("first" | "second")[] }[] = [
  { id: "first", label: "Take A", needs: ["first"] },
  { id: "second", label: "Take B", needs: ["second"] },
  { id: "union", label: "Both together", needs: ["first", "second"] },
  { id: "intersection", label: "What both have", needs: ["first", "second"] },
  { id: "neither", label: "No mask", needs: [] },
];
const CHOSEN: Record<ConsensusChoice, string> = {
  first: "A was taken",
  second: "B was taken",
  union: "both together were taken (union)",
  intersection: "what both have was taken (intersection)",
  neither: "no mask",
};

/** Two people's masks of one picture: how far they agree, what is taken of them, and one step back. */
export function ConsensusPage() {
  const dataset = useDataset();
  const task = Number(useParams().taskId);
  const queries = useQueryClient();
  const show = useShow();
  const toast = useToast();
  usePageTitle(`Two people on one picture · ${dataset.name}`);
  const key = ["consensus", task];
  const shown = useQuery({ queryKey: key, queryFn: () => api.consensus(task) });
  const settle = {
    onSuccess: async (answer: Consensus) => {
      await show(key, answer);
      void queries.invalidateQueries({ queryKey: ["overlaps", dataset.id] });
    },
    onError: (error: Error) => {
      toast(messageOf(error));
      void shown.refetch();
    },
  };
  const decide = useMutation({
    mutationFn: ({ objects, choice }: { objects: ConsensusObject[]; choice: ConsensusChoice }) =>
      api.decideConsensus(
        task,
        objects.map((one) => ({ first: one.first?.id ?? null, second: one.second?.id ?? null, choice })),
      ),
    ...settle,
  });
  const undo = useMutation({ mutationFn: (id: number) => api.undoConsensus(task, id), ...settle });
  const image = usePicture(shown.data?.image);
  if (shown.isPending) return <Loading label="Loading both people's masks" />;
  if (shown.isLoadingError) return <ErrorState error={shown.error} retry={() => void shown.refetch()} />;
  const { objects, decisions, file_name, second } = shown.data;
  const last = decisions.find((one) => one.undone_at === null);
  const busy = decide.isPending || undo.isPending;
  return (
    <div className="stack stack--large">
      <div className="stack stack--small">
        <p className="small crumb">
          <Link to={`/datasets/${dataset.id}/quality`}>Quality</Link>
        </p>
        <h2>
          Two people on <Link to={`/images/${shown.data.image}`}>{file_name}</Link>
        </h2>
        <p className="muted small prose">
          A is what the dataset holds, B is what {second ?? "the second person"} masked without seeing it. Blue is the
          same in both, orange only in this one. What you take becomes a correction of A; both people's masks stay.
        </p>
      </div>
      <AllAbove objects={objects} busy={busy} take={(chosen, choice) => decide.mutate({ objects: chosen, choice })} />
      {last && (
        <div className="row">
          <Button icon={Undo2} busy={undo.isPending} disabled={busy} onClick={() => undo.mutate(last.id)}>
            Undo the last decision
          </Button>
          <span className="muted small">
            {counted(last.objects, "object")}, by {last.by ?? "somebody"} {ago(last.at)}
          </span>
        </div>
      )}
      {objects.length === 0 ? (
        <EmptyState icon={Users} title="No masks">
          Neither person has a mask on this picture now.
        </EmptyState>
      ) : (
        <ul className="feedback" aria-label="Objects">
          {objects.map((one, place) => (
            <li key={`${one.first?.id}-${one.second?.id}`} className="card card--pad stack stack--small">
              <ObjectCard
                number={place + 1}
                one={one}
                image={image}
                busy={busy}
                take={(choice) => decide.mutate({ objects: [one], choice })}
              />
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

interface AllAboveProps {
  objects: ConsensusObject[];
  busy: boolean;
  take: (chosen: ConsensusObject[], choice: ConsensusChoice) => void;
}

/** One decision for everything on which both agree well enough. */
function AllAbove({ objects, busy, take }: AllAboveProps) {
  const [least, setLeast] = useState(0.9);
  const [choice, setChoice] = useState<ConsensusChoice>("first");
  const [iou, what] = [useId(), useId()];
  const chosen = objects.filter((one) => one.iou !== null && one.iou >= least && one.settled === null);
  return (
    <div className="card card--pad row">
      <label htmlFor={iou}>Of all objects with an IoU of at least</label>
      <NumberInput
        id={iou}
        className="input input--number"
        min={0.5}
        max={1}
        step={0.01}
        value={least}
        onNumber={(value) => setLeast(value ?? 1)}
      />
      <label htmlFor={what}>take</label>
      <select
        id={what}
        className="input input--auto"
        value={choice}
        onChange={(event) => setChoice(event.target.value as ConsensusChoice)}
      >
        <option value="first">A</option>
        <option value="second">B</option>
        <option value="union">both together (union)</option>
        <option value="intersection">what both have (intersection)</option>
      </select>
      <Button look="primary" disabled={busy || chosen.length === 0} onClick={() => take(chosen, choice)}>
        Decide {counted(chosen.length, "object")}
      </Button>
    </div>
  );
}

interface ObjectCardProps {
  number: number;
  one: ConsensusObject;
  image: Picture | null;
  busy: boolean;
  take: (choice: ConsensusChoice) => void;
}

function ObjectCard({ number, one, image, busy, take }: ObjectCardProps) {
  const { first, second, settled } = one;
  const a = useMemo(() => first && shapeOf(first.segmentation), [first]);
  const b = useMemo(() => second && shapeOf(second.segmentation), [second]);
  const offered = CHOICES.filter((choice) => choice.needs.every((side) => one[side] !== null));
  return (
    <>
      <div className="row">
        <b>Object {number}</b>
        {(first?.category || second?.category) && <Badge>{first?.category || second?.category}</Badge>}
        {one.iou === null ? (
          <span className="muted small">{first ? "only A has it" : "only B has it"}</span>
        ) : (
          <span className="muted small">
            IoU {one.iou.toFixed(3)}, boundary IoU {one.boundary_iou?.toFixed(3)}
          </span>
        )}
      </div>
      <div className="compare">
        {a && (
          <figure>
            <MaskPicture image={image} item={a} against={b} label={`A of object ${number}`} />
            <figcaption>A · {first?.by ?? "the model"}</figcaption>
          </figure>
        )}
        {b && (
          <figure>
            <MaskPicture image={image} item={b} against={a} label={`B of object ${number}`} />
            <figcaption>B · {second?.by ?? "the model"}</figcaption>
          </figure>
        )}
      </div>
      {settled ? (
        <p className="muted small">
          {CHOSEN[settled.choice]}, by {settled.by ?? "somebody"} {ago(settled.at)}
        </p>
      ) : (
        <fieldset className="row choices" aria-label={`Decide object ${number}`}>
          {offered.map((choice) => (
            <Button key={choice.id} size="small" disabled={busy} onClick={() => take(choice.id)}>
              {choice.label}
            </Button>
          ))}
        </fieldset>
      )}
    </>
  );
}
