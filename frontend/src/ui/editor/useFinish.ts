import { useCallback, useEffect, useRef, useState } from "react";
import { useNavigate } from "react-router";
import type { EditorSession } from "../../actions/editorSession";
import { giveBack } from "../../actions/taskFlow";
import { ApiError, messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { Dataset, TaskKind } from "../../api/types";
import { useToast } from "../kit/toast";
import { forgetWork } from "../lastWork";
import { useWorkbench } from "../workbench";
import { nextOpening } from "./nextOpening";

type Answer = "done" | "nothing_left";

interface Finish {
  readonly busy: boolean;
  /** Waiting for the server before the image counts as done. */
  readonly saving: boolean;
  submit(answer: Answer): Promise<void>;
  skip(reason: string): Promise<void>;
}

const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 10_000;

/**
 * Ends the work on an image and opens the next: first every mask must be on the server. Skipping gives up what is
 * half-made.
 */
export function useFinish(session: EditorSession, dataset: Dataset): Finish {
  const { journal } = useWorkbench();
  const navigate = useNavigate();
  const toast = useToast();
  const [busy, setBusy] = useState(false);
  const [saving, setSaving] = useState(false);
  const running = useRef(false);
  const left = useRef(false);
  const imageId = session.options.image.id;
  useEffect(() => {
    left.current = false;
    return () => {
      left.current = true;
    };
  }, []);

  /** `ahead`: the next frame of a video, which was asked for beside the submit. */
  const next = useCallback(
    async (ahead: Promise<number | null> | undefined) => {
      forgetWork(imageId);
      const { finishedTask, following, work } = session.flow;
      if (left.current) return following ? giveBack(following) : undefined;
      if (work === "training" && finishedTask) {
        return navigate(`/training/${finishedTask}`);
      }
      const frame = await ahead;
      if (frame) return left.current ? undefined : navigate(`/images/${frame}`);
      const queue = queueOf(work);
      const task = following ?? (await api.nextTask(dataset.id, queue));
      if (left.current) return task ? giveBack(task) : undefined;
      if (task) navigate(`/images/${task.image.id}`, { state: { task } });
      else navigate(`/datasets/${dataset.id}/label${queue === "annotate" ? "" : `?work=${queue}`}`);
    },
    [session, imageId, dataset.id, navigate],
  );

  /** Again and again while the server cannot be reached and the image is still open: both requests may come twice. */
  const insist = useCallback(async (work: () => Promise<void>) => {
    for (let pause = FIRST_PAUSE; ; pause = Math.min(LONGEST_PAUSE, pause * 1.5)) {
      try {
        return await work();
      } catch (error) {
        const away = error instanceof ApiError && (error.offline || error.status >= 500);
        if (!away || left.current) throw error;
        setSaving(true);
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }, []);

  const run = useCallback(
    async (work: () => Promise<void>) => {
      if (running.current) return;
      running.current = true;
      setBusy(true);
      nextOpening.start(performance.now());
      try {
        journal.wake();
        setSaving(journal.pendingOf(imageId).length > 0);
        await journal.settled(imageId);
        if (left.current) return;
        if (journal.problemsOf(imageId).length > 0) {
          toast("A mask of this image needs your decision first: see below the list of masks.");
          return;
        }
        const { flow, options } = session;
        const ahead = flow.work === "annotate" ? options.video?.nextOpen(imageId) : undefined;
        await insist(work);
        await insist(() => next(ahead));
      } catch (error) {
        toast(messageOf(error));
      } finally {
        running.current = false;
        setBusy(false);
        setSaving(false);
      }
    },
    [journal, session, imageId, insist, next, toast],
  );

  const submit = useCallback(
    async (answer: Answer) => {
      if (session.options.video?.settle()) return;
      const work = async () => {
        const refusal = whyNot(session, answer); // asked each time: people work on while the server is away
        if (refusal) throw new Error(refusal);
        await session.flow.submit(answer, nextKind(session));
      };
      const refusal = whyNot(session, answer);
      if (refusal) toast(refusal);
      else await run(work);
    },
    [session, run, toast],
  );
  const skip = useCallback(
    async (reason: string) => {
      if (session.options.video?.settle()) return;
      await run(async () => {
        await session.flow.skip(reason, nextKind(session));
        await session.keptDraft.forget();
      });
    },
    [session, run],
  );
  return { busy, saving, submit, skip };
}

/** The queue that work comes from: a second look and what came back are in everybody's, audits and reviews have their own. */
const queueOf = (work: TaskKind): TaskKind => (work === "audit" || work === "review" ? work : "annotate");

/** What is handed out with the answer; nothing where this work goes on elsewhere: with what it says, or the next frame. */
function nextKind({ flow, options }: EditorSession): TaskKind | null {
  if (flow.work === "training" || (flow.work === "annotate" && options.video)) return null;
  return queueOf(flow.work);
}

/** An answer that would say something untrue is questioned. */
function whyNot(session: EditorSession, answer: Answer): string | null {
  if (!session.drafting.empty) return "There is a mask in the making: accept it (Enter) or cancel it (Esc) first.";
  if (session.flow.work === "review") return null;
  if (answer === "done" && session.layout.listed().length === 0) {
    return "There are no masks yet. Choose “Nothing to mask here” if that is right, or skip the image.";
  }
  const undecided = session.layout.listed().filter((item) => item.status === "proposed").length;
  if (undecided > 0) {
    return `${undecided === 1 ? "1 proposed mask is" : `${undecided} proposed masks are`} undecided: keep (Shift+K) or discard first.`;
  }
  return null;
}
