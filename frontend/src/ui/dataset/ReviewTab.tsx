import { useQuery } from "@tanstack/react-query";
import { ClipboardCheck, MessageSquareQuote } from "lucide-react";
import { Link } from "react-router";
import { api } from "../../api/endpoints";
import type { ReviewItem, Reviews } from "../../api/types";
import { REASONS, VERDICTS } from "../editor/reviewWords";
import { count, counted, percent } from "../kit/format";
import { Badge, buttonClass, EmptyState, ErrorState, Loading, TableScroll } from "../kit/kit";
import { mayReview, useDataset } from "./DatasetPage";
import { FeedbackList } from "./FeedbackList";

/** Reviewers see what waits and what was found; everybody what was found in their own masks. */
export function ReviewTab() {
  return (
    <div className="stack stack--large">
      {mayReview(useDataset()) && <Queue />}
      <section className="stack" aria-labelledby="feedback">
        <h2 id="feedback">What was found in your masks</h2>
        <FeedbackList />
      </section>
    </div>
  );
}

function Queue() {
  const dataset = useDataset();
  const reviews = useQuery({
    queryKey: ["reviews", dataset.id],
    queryFn: () => api.reviews(dataset.id),
    refetchInterval: 15_000,
  });
  if (reviews.isPending) return <Loading label="Loading the reviews" />;
  if (reviews.isLoadingError) return <ErrorState error={reviews.error} retry={() => void reviews.refetch()} />;
  const state = reviews.data;
  const judged = Object.values(state.verdicts).reduce((sum, n) => sum + n, 0);
  return (
    <section className="stack" aria-labelledby="review">
      <div className="row row--between">
        <h2 id="review">Review</h2>
        {state.left_for_you > 0 && (
          <Link className={buttonClass("primary")} to={`/datasets/${dataset.id}/label?work=review`}>
            <ClipboardCheck size={17} aria-hidden />
            Review the next picture
          </Link>
        )}
      </div>
      {state.share === 0 && judged === 0 && state.waiting === 0 ? (
        <EmptyState icon={ClipboardCheck} title="Nothing is reviewed">
          A lead sets on the tab Stages, under Queue, how many of the annotators' pictures a reviewer looks at.
        </EmptyState>
      ) : (
        <>
          <div className="numbers">
            <span>
              <b>{count(state.waiting)}</b> waiting for review
            </span>
            <span>
              <b>{count(state.returned)}</b> with their annotator
            </span>
            <span>
              <b>{count(judged)}</b> {judged === 1 ? "mask" : "masks"} judged
            </span>
          </div>
          <p className="muted small prose">{ruleText(state)} Pictures where the model differs most come first.</p>
          <div className="columns">
            <People people={state.people} />
            <Findings state={state} judged={judged} />
          </div>
        </>
      )}
    </section>
  );
}

function ruleText({ share, adapts }: Reviews): string {
  if (!adapts || share === 0) return `${percent(share)} of each annotator's pictures are reviewed.`;
  return (
    `${percent(share)} of an annotator's pictures are reviewed when 10 % of their latest 50 judged masks were wrong; ` +
    "more or fewer in proportion (by the upper end of the 95 % interval), never below a quarter of that. " +
    "Until 20 of their masks were judged, all are."
  );
}

function People({ people }: { people: Reviews["people"] }) {
  if (people.length === 0) return <p className="muted">There is no annotator yet.</p>;
  return (
    <TableScroll label="Annotators" card>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Annotator</th>
            <th scope="col" className="number">
              Judged
            </th>
            <th scope="col" className="number">
              Wrong
            </th>
            <th scope="col" className="number">
              Reviewed now
            </th>
          </tr>
        </thead>
        <tbody>
          {people.map((person) => (
            <tr key={person.username}>
              <td>{person.username}</td>
              <td className="number">{person.judged}</td>
              <td className="number">{person.wrong}</td>
              <td className="number">{percent(person.share)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}

function Findings({ state, judged }: { state: Reviews; judged: number }) {
  if (judged === 0) {
    return (
      <EmptyState icon={MessageSquareQuote} title="No mask was judged yet">
        What reviewers find shows up here by reason.
      </EmptyState>
    );
  }
  const reasons = Object.entries(state.reasons).toSorted(([, a], [, b]) => b - a);
  return (
    <div className="stack stack--small">
      <p className="row">
        {Object.entries(state.verdicts).map(([verdict, n]) => {
          const look = VERDICTS[verdict as Exclude<ReviewItem["verdict"], "">];
          return (
            <Badge key={verdict} tone={look.tone}>
              {count(n)} {look.label}
            </Badge>
          );
        })}
      </p>
      <ul className="small">
        {reasons.map(([reason, n]) => (
          <li key={reason}>
            {REASONS[reason as keyof typeof REASONS]}: {counted(n, "mask")}
          </li>
        ))}
      </ul>
    </div>
  );
}
