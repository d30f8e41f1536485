import { useQuery } from "@tanstack/react-query";
import { PartyPopper } from "lucide-react";
import { Link, Navigate, useParams } from "react-router";
import { api } from "../../api/endpoints";
import { buttonClass, EmptyState, ErrorState, Loading } from "../kit/kit";

/** Asks the queue for an image and goes there. */
export function LabelNext() {
  const id = Number(useParams().datasetId);
  const next = useQuery({
    queryKey: ["next-task", id],
    queryFn: async () => (await api.nextTask(id)) ?? null,
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    retry: false,
  });
  if (next.isPending) return <Loading label="Finding the next image" />;
  if (next.isError) {
    return (
      <main className="page" id="content">
        <ErrorState error={next.error} retry={() => void next.refetch()} />
      </main>
    );
  }
  if (next.data) return <Navigate to={`/images/${next.data.image.id}`} replace state={{ task: next.data }} />;
  return (
    <main className="page" id="content">
      <EmptyState
        page
        icon={PartyPopper}
        title="Every image is taken care of"
        action={
          <Link className={buttonClass("primary")} to={`/datasets/${id}`}>
            To the dataset
          </Link>
        }
      >
        There is nothing left to label here. Add pictures, or go over what is done.
      </EmptyState>
    </main>
  );
}
