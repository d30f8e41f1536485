import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useRef, useState } from "react";
import { useNavigate } from "react-router";
import type { EditorSession } from "../../actions/editorSession";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { Dataset } from "../../api/types";
import { useToast } from "../kit/toast";
import { forgetWork } from "../lastWork";
import { useWorkbench } from "../workbench";

interface Finish {
  readonly busy: boolean;
  /** Waiting for masks to reach the server before the image counts as done. */
  readonly saving: boolean;
  submit(answer: "done" | "nothing_left"): Promise<void>;
  skip(reason: string): Promise<void>;
}

/** Ends the work on an image and opens the next: first every mask must be on the server. */
export function useFinish(session: EditorSession, dataset: Dataset): Finish {
  const { journal } = useWorkbench();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const toast = useToast();
  const [busy, setBusy] = useState(false);
  const [saving, setSaving] = useState(false);
  const running = useRef(false);
  const imageId = session.options.image.id;

  const next = useCallback(async () => {
    await session.forgetDraft();
    forgetWork(imageId);
    void queries.invalidateQueries({ queryKey: ["dataset", dataset.id] });
    const task = await api.nextTask(dataset.id);
    if (task) navigate(`/images/${task.image.id}`, { state: { task } });
    else navigate(`/datasets/${dataset.id}/label`);
  }, [session, imageId, dataset.id, navigate, queries]);

  const run = useCallback(
    async (work: () => Promise<void>) => {
      if (running.current) return;
      running.current = true;
      setBusy(true);
      try {
        journal.wake();
        setSaving(journal.pendingOf(imageId).length > 0);
        await journal.settled(imageId);
        setSaving(false);
        await work();
        await next();
      } catch (error) {
        toast(messageOf(error));
      } finally {
        running.current = false;
        setBusy(false);
        setSaving(false);
      }
    },
    [journal, imageId, next, toast],
  );

  const submit = useCallback(
    async (answer: "done" | "nothing_left") => {
      const refusal = whyNot(session, answer);
      if (refusal) return toast(refusal);
      await run(() => session.flow.submit(session.clock.seconds(), answer));
    },
    [session, run, toast],
  );
  const skip = useCallback((reason: string) => run(() => session.flow.skip(reason)), [session, run]);
  return { busy, saving, submit, skip };
}

/** An answer that would say something untrue is questioned. */
function whyNot(session: EditorSession, answer: "done" | "nothing_left"): string | null {
  if (!session.drafting.empty) return "There is a mask in the making: accept it (Enter) or cancel it (Esc) first.";
  if (answer === "done" && session.store.visible().length === 0) {
    return "There are no masks yet. Choose “Nothing to mask here” if that is right, or skip the image.";
  }
  return null;
}
