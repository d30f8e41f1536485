import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { Stage, StageMove, Stages } from "../../api/types";
import { TextField } from "../kit/fields";
import { ago, count, counted } from "../kit/format";
import { Badge, Button, Dialog, ErrorState, Loading, Note, TableScroll } from "../kit/kit";
import { useToast } from "../kit/toast";
import { keysOf, useAskAnew } from "../kit/useChange";
import { mayLead, useDataset } from "./DatasetPage";
import { QueueSettings } from "./QueueSettings";
import { Checklist } from "./StageChecklist";
import { STAGE_NAMES, STAGES, stageTitle } from "./stageNames";

const WHAT: Record<Stage, { machine: string; people: string }> = {
  assisted: {
    machine: "Prepares every picture and answers clicks.",
    people: "Mask what they see, the most striking first; after 30 seconds on one mask they go on.",
  },
  semi_automatic: {
    machine: "Fills in the masks it is sure of, as proposals.",
    people: "Keep, correct or discard them and add what is missing.",
  },
  fully_automatic: {
    machine: "Masks every picture that nobody has taken up; what is confident and stable is accepted.",
    people: "Are not asked any more. A sample is audited.",
  },
};

export function StagesTab() {
  const dataset = useDataset();
  const stages = useQuery({
    queryKey: ["stages", dataset.id],
    queryFn: () => api.stages(dataset.id),
    refetchInterval: (query) => (query.state.data?.waiting ? 4000 : 15_000),
  });
  if (stages.isPending) return <Loading label="Loading the stages" />;
  if (stages.isLoadingError) return <ErrorState error={stages.error} retry={() => void stages.refetch()} />;
  const step = stages.data.steps.find((one) => one.stage === stages.data.stage);
  const others = stages.data.steps.filter((one) => one !== step);
  return (
    <div className="stack">
      <Track stages={stages.data} />
      {stages.data.waiting > 0 && (
        <Note>
          {counted(stages.data.waiting, "image")} wait for the model's part of this stage: see{" "}
          <Link to="../jobs">Jobs</Link>.
        </Note>
      )}
      {step ? (
        <Checklist step={step} />
      ) : (
        <Note>This is the last stage: nothing follows it. Audit a sample to know how good its masks are.</Note>
      )}
      {others.map((one) => (
        <details key={one.stage} className="stack">
          <summary>
            Rule from {STAGE_NAMES[one.stage]} to {STAGE_NAMES[one.next]}
          </summary>
          <Checklist step={one} />
        </details>
      ))}
      <QueueSettings />
      <Moves moves={stages.data.moves} />
    </div>
  );
}

/** The three stages side by side, the present one marked. */
function Track({ stages }: { stages: Stages }) {
  const lead = mayLead(useDataset());
  const [to, setTo] = useState<Stage | null>(null);
  return (
    <ol className="track" aria-label="Stages">
      {STAGES.map((stage) => {
        const here = stage === stages.stage;
        return (
          <li key={stage} className="card card--pad stack stack--small" aria-current={here ? "step" : undefined}>
            <div className="row row--between">
              <h2>{stageTitle(stage)}</h2>
              {here && <Badge tone="accent">Now</Badge>}
            </div>
            <p className="small">
              <b>The model</b> {lower(WHAT[stage].machine)}
            </p>
            <p className="small">
              <b>People</b> {lower(WHAT[stage].people)}
            </p>
            <div className="row row--between track__end">
              <span className="small muted">{counted(stages.images[stage] ?? 0, "image")}</span>
              {lead && !here && (
                <Button size="small" onClick={() => setTo(stage)}>
                  Move here
                </Button>
              )}
            </div>
          </li>
        );
      })}
      {to && <MoveDialog from={stages.stage} to={to} onClose={() => setTo(null)} />}
    </ol>
  );
}

const lower = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

const CONSEQUENCES: Record<Stage, string> = {
  assisted: "New pictures come empty again. What was prefilled or masked so far stays, and every picture has a task.",
  semi_automatic:
    "The model fills in what is still in the queue, one picture after the other. Work in progress is left alone.",
  fully_automatic:
    "The model masks every picture that nobody has taken up, and its masks are accepted without a person. Those pictures leave the queue.",
};

function MoveDialog({ from, to, onClose }: { from: Stage; to: Stage; onClose: () => void }) {
  const dataset = useDataset();
  const askAnew = useAskAnew();
  const toast = useToast();
  const [note, setNote] = useState("");
  const back = STAGES.indexOf(to) < STAGES.indexOf(from);
  const move = useMutation({
    mutationFn: () => api.moveStage(dataset.id, to, note.trim()),
    onSuccess: () => {
      toast(`The dataset is in the ${STAGE_NAMES[to]} stage now.`);
      onClose();
    },
    onSettled: () => askAnew(keysOf(dataset.id, "stages", "dataset", "images", "jobs")),
  });
  return (
    <Dialog title={`Move to ${STAGE_NAMES[to]}?`} onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          move.mutate();
        }}
      >
        {move.isError && <Note tone="bad">{messageOf(move.error)}</Note>}
        <p>{CONSEQUENCES[to]}</p>
        {back && (
          <p className="muted small">The rule of that stage is switched off, so that the dataset stays there.</p>
        )}
        <TextField label="Why" hint="Optional. Kept with the move." maxLength={500} value={note} onChange={setNote} />
        <div className="dialog__actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={move.isPending}>
            Move now
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function Moves({ moves }: { moves: StageMove[] }) {
  if (moves.length === 0) {
    return <p className="muted small">No moves yet. Each is written down here with the values of its moment.</p>;
  }
  return (
    <section className="stack stack--small" aria-labelledby="moves">
      <h2 id="moves">Moves</h2>
      <TableScroll label="Moves between stages" card>
        <table className="table">
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">Move</th>
              <th scope="col">By</th>
              <th scope="col">Values then</th>
              <th scope="col">Why</th>
            </tr>
          </thead>
          <tbody>
            {moves.map((move) => (
              <tr key={move.id}>
                <td className="muted small">{ago(move.at)}</td>
                <td>
                  {STAGE_NAMES[move.from_stage]} → {STAGE_NAMES[move.to_stage]}
                </td>
                <td>{move.kind === "rule" ? <Badge>rule</Badge> : (move.by ?? "the command line")}</td>
                <td className="small">{move.values.map(shownValue).filter(Boolean).join(" · ") || "–"}</td>
                <td className="small">{move.note || "–"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableScroll>
    </section>
  );
}

function shownValue({ key, value }: StageMove["values"][number]): string {
  if (value === null) return "";
  if (key === "masks") return `${count(value)} masks`;
  return key === "iou" ? `IoU ${value.toFixed(3)}` : `${Math.round(value * 100)} % kept`;
}
