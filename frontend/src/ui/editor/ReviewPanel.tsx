import { Check, MapPin, Undo2 } from "lucide-react";
import { useState } from "react";
import type { EditorSession } from "../../actions/editorSession";
import type { ReviewWork } from "../../actions/reviewWork";
import type { ReviewItem, ReviewReason } from "../../api/types";
import { percent } from "../kit/format";
import { Badge, Button } from "../kit/kit";
import { REASONS, reasonText, VERDICTS } from "./reviewWords";
import { useEditor } from "./useEditor";

interface PanelProps {
  session: EditorSession;
  review: ReviewWork;
}

/** Beside the picture while it is reviewed, or after it came back. */
export function ReviewPanel({ session, review }: PanelProps) {
  // The review is no immutable value: its owner counts every change.
  useEditor(session, (state) => state.version);
  return (
    <section className="review" aria-label={review.kind === "review" ? "Review" : "What came back"}>
      {review.kind === "review" ? (
        <Judging session={session} review={review} />
      ) : (
        <Returned review={review} session={session} />
      )}
      <Earlier items={review.earlier} />
    </section>
  );
}

function Judging({ session, review }: PanelProps) {
  const said = review.items.filter((item) => item.verdict !== "");
  const selected = session.selectedId ?? session.store.draft.parent;
  const item = selected === null ? null : review.itemOf(selected);
  const rest = review.items.filter((one) => one.mask !== null && one.verdict === "" && !review.answered(one)).length;
  return (
    <>
      <p className="small">
        <b>
          {said.length} of {review.items.length}
        </b>{" "}
        spoken of. {rest > 0 && `Submitting accepts the other ${rest}.`}
      </p>
      <ol className="review__items">
        {review.items.map((one, at) => (
          <ItemRow key={one.id} session={session} review={review} item={one} number={at + 1} current={one === item} />
        ))}
      </ol>
      {item ? <Verdict key={item.id} session={session} review={review} item={item} /> : <Remark review={review} />}
    </>
  );
}

interface ItemProps extends PanelProps {
  item: ReviewItem;
}

function ItemRow({ session, review, item, number, current }: ItemProps & { number: number; current: boolean }) {
  const changed = review.answered(item);
  const verdict = item.verdict !== "" ? VERDICTS[item.verdict] : changed ? VERDICTS.corrected : null;
  const id = review.maskOf(item);
  const listed = session.layout.listed().findIndex((one) => one.id === id);
  const mask = id === null ? null : session.store.mask(id);
  const called = mask?.category || (listed < 0 ? "Mask" : `Mask ${listed + 1}`);
  const name = item.mask === null ? reasonText(item.reason) : called;
  return (
    <li>
      <button
        type="button"
        className="review__item"
        aria-pressed={current}
        disabled={item.mask === null}
        onClick={() => {
          const id = review.maskOf(item);
          if (!id) return;
          session.select(id);
          session.showMask(id);
        }}
      >
        <span className="review__number">{number}</span>
        <span className="grow">{name}</span>
        {item.disagreement !== null && !verdict && (
          <span className="muted small" title="How far the model, asked with the mask's box, is from it">
            model differs {percent(item.disagreement)}
          </span>
        )}
        {verdict && <Badge tone={verdict.tone}>{verdict.label}</Badge>}
      </button>
    </li>
  );
}

function Verdict({ session, review, item }: ItemProps) {
  const [reason, setReason] = useState(item.reason);
  const [comment, setComment] = useState(item.comment);
  const drawing = session.store.draft.parent !== null && !session.drafting.empty;
  const free = session.editable && !review.busy;
  const say = (verdict: "" | "accepted" | "returned") =>
    void review.say(item, verdict === "returned" ? { verdict, reason, comment } : { verdict });
  return (
    <div className="stack stack--small review__verdict">
      <div className="row">
        <Button size="small" icon={Check} disabled={!free || drawing} onClick={() => say("accepted")}>
          Accept
        </Button>
        {item.verdict !== "" && (
          <Button size="small" look="quiet" disabled={!free} onClick={() => say("")}>
            Take back
          </Button>
        )}
      </div>
      <Said reason={reason} setReason={setReason} comment={comment} setComment={setComment} />
      <div className="row">
        <PinButton review={review} />
        <Button
          size="small"
          look="primary"
          icon={Undo2}
          disabled={!free || reason === ""}
          onClick={() => say("returned")}
        >
          {drawing ? "Return, showing these pixels" : "Return"}
        </Button>
      </div>
      <p className="muted small">
        {drawing
          ? "Accept the correction (Enter) to save it yourself, or return the mask: its maker sees the blue pixels to add and the orange ones to take away."
          : "Press Correct below to show which pixels are wrong, or to put them right yourself."}
      </p>
    </div>
  );
}

interface SaidProps {
  reason: ReviewItem["reason"];
  setReason: (reason: ReviewReason) => void;
  comment: string;
  setComment: (comment: string) => void;
}

function Said({ reason, setReason, comment, setComment }: SaidProps) {
  return (
    <>
      <select
        className="input input--small"
        aria-label="What is wrong"
        value={reason}
        onChange={(event) => setReason(event.target.value as ReviewReason)}
      >
        <option value="" disabled>
          What is wrong?
        </option>
        {Object.entries(REASONS)
          .filter(([key]) => key !== "missing_object")
          .map(([key, label]) => (
            <option key={key} value={key}>
              {label}
            </option>
          ))}
      </select>
      <Comment value={comment} onChange={setComment} />
    </>
  );
}

function Comment({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  return (
    <textarea
      className="input input--small"
      aria-label="Comment"
      placeholder="Comment (optional)"
      rows={2}
      maxLength={2000}
      value={value}
      onChange={(event) => onChange(event.target.value)}
      onKeyDown={(event) => event.stopPropagation()}
    />
  );
}

function PinButton({ review }: { review: ReviewWork }) {
  return (
    <Button size="small" icon={MapPin} aria-pressed={review.pinning} onClick={() => review.startPin()}>
      {review.pinning ? "Click the place" : review.pin ? "Move the pin" : "Pin a place"}
    </Button>
  );
}

/** Nothing is selected: perhaps a mask is missing. */
function Remark({ review }: { review: ReviewWork }) {
  const [comment, setComment] = useState("");
  const send = async () => {
    if (await review.remark(comment)) setComment("");
  };
  return (
    <details className="review__remark">
      <summary className="small">An object has no mask?</summary>
      <div className="stack stack--small">
        <Comment value={comment} onChange={setComment} />
        <div className="row">
          <PinButton review={review} />
          <Button size="small" icon={Undo2} disabled={!review.pin || review.busy} onClick={() => void send()}>
            Return for it
          </Button>
        </div>
      </div>
    </details>
  );
}

/** What came back: each mask with the reason, the comment, and the pixels that are wrong. */
function Returned({ session, review }: PanelProps) {
  return (
    <>
      <p className="small">
        <b>This picture came back from review.</b> Put right what is marked, then submit: the reviewer looks again.
      </p>
      <ol className="review__items">
        {review.items.map((item, at) => {
          const id = review.maskOf(item);
          const done = review.answered(item);
          return (
            <li key={item.id} className="review__returned">
              <div className="row">
                <span className="review__number">{at + 1}</span>
                <b className="grow">{reasonText(item.reason)}</b>
                {done && <Badge tone="good">changed</Badge>}
              </div>
              {item.comment && <p className="review__comment">“{item.comment}”</p>}
              <p className="muted small">{item.decided_by}</p>
              {id && !done && (
                <div className="row">
                  <Button size="small" onClick={() => showWrong(session, id)}>
                    Show
                  </Button>
                  <Button size="small" look="primary" disabled={!session.editable} onClick={() => session.correct(id)}>
                    Correct
                  </Button>
                </div>
              )}
            </li>
          );
        })}
      </ol>
      {review.items.some((item) => review.wrongOf(item)) && <Legend />}
    </>
  );
}

function showWrong(session: EditorSession, id: string): void {
  session.select(id);
  session.showMask(id);
}

function Legend() {
  return (
    <p className="small review__legend">
      <span className="review__missing" aria-hidden /> blue: missing, add it
      <br />
      <span className="review__surplus" aria-hidden /> orange: too much, take it away
    </p>
  );
}

function Earlier({ items }: { items: readonly ReviewItem[] }) {
  if (items.length === 0) return null;
  return (
    <details>
      <summary className="small">Earlier rounds ({items.length})</summary>
      <ul className="small review__earlier">
        {items.map((item) => (
          <li key={item.id}>
            <Badge tone={item.verdict === "" ? undefined : VERDICTS[item.verdict].tone}>{item.verdict}</Badge>{" "}
            {reasonText(item.reason)} {item.comment && `“${item.comment}”`}{" "}
            <span className="muted">
              {item.decided_by}
              {item.answered_at && ", answered"}
            </span>
          </li>
        ))}
      </ul>
    </details>
  );
}
