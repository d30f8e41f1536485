import { useQuery } from "@tanstack/react-query";
import { GraduationCap, PartyPopper } from "lucide-react";
import { Link, Navigate, useParams, useSearchParams } from "react-router";
import { ApiError } from "../../api/client";
import { api } from "../../api/endpoints";
import type { TaskKind } from "../../api/types";
import { buttonClass, EmptyState, ErrorPage, Loading } from "../kit/kit";

const NOTHING: Partial<Record<TaskKind, { title: string; text: string; to: string }>> = {
  audit: {
    title: "Nothing left to audit for you",
    text: "What is left of the sample are images that you worked on yourself, or that others have open.",
    to: "/quality",
  },
  review: {
    title: "Nothing left to review for you",
    text: "Pictures come here when annotators submit them. Your own work is reviewed by somebody else.",
    to: "/review",
  },
};
const NOTHING_TO_LABEL = {
  title: "Every image is taken care of",
  text: "There is nothing left to label here. Add pictures, or go over what is done.",
  to: "",
};

/** Asks the queue for an image and goes there. `?work=audit` asks for other work than labelling. */
export function LabelNext() {
  const id = Number(useParams().datasetId);
  const asked = useSearchParams()[0].get("work") ?? "";
  const work: TaskKind = asked in NOTHING ? (asked as TaskKind) : "annotate";
  const next = useQuery({
    queryKey: ["next-task", id, work],
    queryFn: async () => (await api.nextTask(id, work)) ?? null,
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    retry: false,
  });
  if (next.isPending) return <Loading label="Finding the next image" />;
  if (next.isError && next.error instanceof ApiError && next.error.code === "training_done") {
    return (
      <main className="page" id="content">
        <EmptyState
          page
          icon={GraduationCap}
          title="You have done the training pictures"
          action={
            <Link className={buttonClass()} to={`/datasets/${id}`}>
              To the dataset
            </Link>
          }
        >
          A lead of the dataset looks at the result now and lets you label, or marks more pictures to train on.
        </EmptyState>
      </main>
    );
  }
  if (next.isError) return <ErrorPage error={next.error} retry={() => void next.refetch()} />;
  if (next.data) return <Navigate to={`/images/${next.data.image.id}`} replace state={{ task: next.data }} />;
  const { title, text, to } = NOTHING[work] ?? NOTHING_TO_LABEL;
  return (
    <main className="page" id="content">
      <EmptyState
        page
        icon={PartyPopper}
        title={title}
        action={
          <Link className={buttonClass("primary")} to={`/datasets/${id}${to}`}>
            To the dataset
          </Link>
        }
      >
        {text}
      </EmptyState>
    </main>
  );
}
