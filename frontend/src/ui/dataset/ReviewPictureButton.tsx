import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { FoundMask } from "../../api/types";
import { Button } from "../kit/kit";

/** Takes up the review of the mask's picture and opens it there. */
export function ReviewPictureButton({ mask }: { mask: FoundMask }) {
  const navigate = useNavigate();
  const claim = useMutation({
    mutationFn: () => api.claimTask(mask.image, "review"),
    onSuccess: (task) => navigate(`/images/${mask.image}?mask=${mask.id}`, { state: { task } }),
  });
  return (
    <>
      <Button size="small" busy={claim.isPending} onClick={() => claim.mutate()}>
        Review
      </Button>
      {claim.isError && (
        <span className="small" role="alert">
          {messageOf(claim.error)}
        </span>
      )}
    </>
  );
}
