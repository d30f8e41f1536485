import { Compass } from "lucide-react";
import { Link } from "react-router";
import { buttonClass, EmptyState } from "./kit/kit";

export function NotFoundPage() {
  return (
    <main className="page" id="content">
      <EmptyState
        page
        icon={Compass}
        title="There is nothing at this address"
        action={
          <Link className={buttonClass("primary")} to="/">
            To the datasets
          </Link>
        }
      >
        It may have been deleted, or you are not a member of its dataset.
      </EmptyState>
    </main>
  );
}
